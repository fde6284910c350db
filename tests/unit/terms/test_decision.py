"""A decision keeps what made it, as JSON, and is told in sentences of both languages."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keizoku.terms import decision as decision_module
from keizoku.terms import rendering
from keizoku.terms.calendar import Month
from keizoku.terms.decision import Decision, Finding, Step, decides, homes
from keizoku.terms.rendering import MissingFactError, UnknownSentenceError

SENTENCES = {
    "demo.late": {
        "ja": "{account}は{paid_at}に{fee_yen}を払った",
        "en": "{account} paid {fee_yen} at {paid_at}",
    },
    "demo.tier": {"ja": "{stop_seconds}なので{rate}", "en": "{stop_seconds}, hence {rate}"},
}


@pytest.fixture
def sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "templates", lambda: SENTENCES)


@pytest.fixture
def no_homes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_module, "_homes", {})


def example() -> Decision:
    return Decision(
        subject="claim c-1",
        outcome="granted",
        clauses=("demo/2", "demo/2.1"),
        terms="2024-12-02",
        readings={"sub_second": "outward"},
        facts={"account": "a-1"},
        steps=(
            Step("demo/2", "demo.late", {"paid_at": datetime(2026, 4, 10, tzinfo=UTC), "fee_yen": 5_300}),
            Step("demo/2.1", "demo.tier", {"stop_seconds": 12_961, "rate": Fraction(1, 5)}),
        ),
    )


def test_a_stored_decision_reads_back_as_it_was_made() -> None:
    stored = example().to_json()
    assert stored == {
        "subject": "claim c-1",
        "outcome": "granted",
        "clauses": ["demo/2", "demo/2.1"],
        "terms": "2024-12-02",
        "readings": {"sub_second": "outward"},
        "facts": {"account": "a-1"},
        "steps": [
            {
                "clause": "demo/2",
                "key": "demo.late",
                "facts": {"paid_at": "2026-04-10T09:00:00+09:00", "fee_yen": 5_300},
            },
            {"clause": "demo/2.1", "key": "demo.tier", "facts": {"stop_seconds": 12_961, "rate": "0.2"}},
        ],
    }
    assert Decision.from_json(stored) == example()


def test_facts_of_every_kind_become_json() -> None:
    facts = {
        "month": Month(2026, 4),
        "due_on": date(2026, 4, 30),
        "share": Fraction(1, 3),
        "windows": ((1, 2), (3, 4)),
        "nested": {"paid": True, "reason": None},
    }
    assert Step("demo/1", "k", facts).facts == {
        "month": "2026-04",
        "due_on": "2026-04-30",
        "share": "1/3",
        "windows": [[1, 2], [3, 4]],
        "nested": {"paid": True, "reason": None},
    }


@pytest.mark.parametrize("fact", [0.1, {1, 2}, object(), [0.5], {"inner": 1.5}])
def test_floats_and_strangers_are_refused_by_name(fact: object) -> None:
    with pytest.raises(TypeError, match="the fact 'fee"):
        Step("demo/1", "k", {"fee": fact})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), json_values), st.lists(st.text(), max_size=3))
def test_json_facts_pass_through_unchanged(facts: dict[str, object], clauses: list[str]) -> None:
    made = Decision("s", "o", tuple(clauses), "v", {}, facts, (Step("c", "k", facts),))
    assert made.facts == facts
    assert Decision.from_json(made.to_json()) == made


@pytest.mark.usefixtures("sentences")
def test_each_step_is_one_sentence_in_both_languages() -> None:
    assert example().render("ja") == ["a-1は2026年4月10日 09:00に5,300円を払った", "3時間36分1秒なので20%"]
    assert example().render("en") == [
        "a-1 paid 5,300 yen at 10 April 2026 09:00 JST",
        "3 h 36 min 1 s, hence 20%",
    ]


@pytest.mark.usefixtures("sentences")
def test_a_step_without_its_sentence_or_its_fact_says_what_to_add() -> None:
    unknown = Decision("s", "o", (), "v", {}, {}, (Step("demo/2", "demo.nothing", {}),))
    with pytest.raises(UnknownSentenceError, match=r"no sentence 'demo.nothing' in 'ja'; add the table"):
        unknown.render("ja")
    bare = Decision("s", "o", (), "v", {}, {}, (Step("demo/2", "demo.tier", {"rate": "0.2"}),))
    with pytest.raises(MissingFactError, match=r"'demo.tier' needs the fact 'stop_seconds'; it was given \['rate'\]"):
        bare.render("en")


@pytest.mark.usefixtures("no_homes")
def test_a_function_is_the_home_of_the_clauses_it_names() -> None:
    @decides("demo/2", "demo/2.1")
    def tier(seconds: int) -> int:
        return seconds * 2

    @decides("demo/2")
    def another(seconds: int) -> int:
        return seconds

    assert (tier(2), another(2)) == (4, 2)
    here = f"{__name__}.test_a_function_is_the_home_of_the_clauses_it_names.<locals>"
    assert homes() == {"demo/2": (f"{here}.another", f"{here}.tier"), "demo/2.1": (f"{here}.tier",)}
    decides("demo/2.1")(tier)  # a module imported again
    assert homes()["demo/2.1"] == (f"{here}.tier",)


def test_a_finding_is_one_line() -> None:
    told = Finding("claims.csv", 3, "2026-13", "month is\n not a month", "write 2026-12")
    assert str(told) == "claims.csv:3: 2026-13: month is not a month; write 2026-12"
    assert str(Finding("claims.csv", None, "x", "no header", "add it")) == "claims.csv: x: no header; add it"
