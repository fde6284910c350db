"""The diary: in order, as known at any time, in both languages."""

from datetime import datetime, timedelta

import pytest

from keizoku.billing.rules.account_event import Event, event_sentence, in_order, known, to_json
from keizoku.terms.calendar import parse_instant
from keizoku.terms.rendering import templates


def at(text: str) -> datetime:
    return parse_instant(text)


MORNING = at("2026-04-10 09:00")
RENEWED = Event(
    at("2026-04-20 00:00"),
    at("2026-04-22 02:30"),
    "term_renewed",
    "premium/3.3",
    {
        "starts_on": "2026-04-20",
        "ends_on": "2026-05-20",
        "price_yen": 500,
        "method": "card",
        "terms_version": "2024-12-02",
    },
)
SUSPENDED = Event(MORNING, MORNING, "suspend", "premium/7.1", {"author": "sato", "ground": "調査中"})


def test_3_3__what_was_learned_later_says_so_in_both_languages() -> None:
    assert event_sentence(RENEWED, "en") == (
        "Renewed: 20 April 2026 to the day before 20 May 2026, 500 yen, paid by card (terms 2024-12-02). "
        "(recorded 22 April 2026 02:30 JST)"
    )
    assert event_sentence(RENEWED, "ja") == (
        "自動更新: 2026年4月20日から2026年5月20日の前日まで、500円、クレジットカード(規約2024-12-02)。"
        "(2026年4月22日 02:30に記録)"
    )


def test_7_1__an_act_of_people_names_its_author_and_its_ground() -> None:
    assert (
        event_sentence(SUSPENDED, "en")
        == "Access was suspended by a decision of people. By sato, on this ground: 調査中."
    )
    assert event_sentence(SUSPENDED, "ja") == "担当者の判断により提供を停止しました。 担当: sato、理由: 調査中。"
    assert to_json(SUSPENDED, "en") == {
        "at": "2026-04-10T09:00:00+09:00",
        "known_at": "2026-04-10T09:00:00+09:00",
        "kind": "suspend",
        "clause": "premium/7.1",
        "text": event_sentence(SUSPENDED, "en"),
        "facts": {"author": "sato", "ground": "調査中"},
    }


def test_a_diary_is_read_as_it_was_known_at_a_time() -> None:
    second = timedelta(seconds=1)
    events = [RENEWED, SUSPENDED]
    assert known(events, RENEWED.at + second, RENEWED.known_at) == [SUSPENDED, RENEWED]
    assert known(events, RENEWED.at + second, RENEWED.known_at - second) == [SUSPENDED]
    assert known(events, RENEWED.at, RENEWED.known_at) == [SUSPENDED]
    assert known(events, MORNING, RENEWED.known_at) == []


def test_of_what_holds_at_one_instant_the_cause_comes_first() -> None:
    kinds = ("charge_succeeded", "notice_written", "invoiced", "approved", "term_first", "applied")
    ordered = [event.kind for event in in_order(Event(MORNING, MORNING, kind) for kind in kinds)]
    assert ordered == ["applied", "approved", "term_first", "invoiced", "charge_succeeded", "notice_written"]


@pytest.mark.parametrize("key", [key for key in templates() if key.startswith(("diary.", "invoice.", "word."))])
def test_every_sentence_names_the_same_facts_in_both_languages(key: str) -> None:
    import string

    ja, en = (
        {name for _, name, _, _ in string.Formatter().parse(templates()[key][lang]) if name} for lang in ("ja", "en")
    )
    assert ja == en
