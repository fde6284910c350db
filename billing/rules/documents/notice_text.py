"""The texts of notices and demands: facts in, paragraphs and the list below them out, in Japanese and English.

    Notice(kind, body_ja, body_en, items)      a paragraph a line; items: due date, account, amounts, …

Pure; the sentences are in terms/sentences/notices.toml. Every notice names its clause, its amounts and what to do next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from keizoku.terms.rendering import Lang, sentence, voice
from keizoku.terms.words import day

Item = Mapping[str, str | int]
"""A line of a letter's list, as JSON: its name `ja`, `en`, and either `yen` or its words `ja_text`, `en_text`."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A document for a user; `kind` is one of user_notice's, a body has a paragraph a line."""

    kind: str
    body_ja: str
    body_en: str
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class OverdueFee:
    """A fee that is overdue, and what comes if it stays unpaid."""

    due_on: date
    open_yen: int
    method: str
    next_attempt_on: date | None  # of the card; None: it waits for a new one
    suspends_on: date | None  # None: the contract is over
    pay_to: str = ""  # the bank account for transfers; empty: none is set
    reference: str = ""  # what the payer states with a transfer
    by_on: date | None = None  # the last day on which payment prevents the suspension; None: there is none any more


SUBJECTS: Final[Mapping[str, tuple[str, str]]] = {
    "renewal": ("ご契約の自動更新のお知らせ", "Your contract renews"),
    "price": ("利用料金改定のお知らせ", "Your fee changes"),
    "overdue": ("お支払いのお願い", "Your payment is overdue"),
    "suspension": ("サービス提供停止のお知らせ", "Your access is suspended"),
    "resumption": ("サービス提供再開のお知らせ", "Your access is back"),
    "termination": ("ご契約解除のお知らせ", "Your contract is terminated"),
    "acceleration": ("期限の利益喪失のお知らせ", "What you owe is due at once"),
    "set_off": ("相殺のお知らせ", "Credits are set off against what you owe"),
    "write_off": ("債権放棄のお知らせ", "Something you owed is given up"),
    "recalculation": ("ご入金の反映に伴う再計算のお知らせ", "Your payments were worked out again"),
    "demand": ("遅延損害金のご請求", "Late interest"),
    "claim_received": ("使用不能時間のご申請を受け付けました", "We have received your claim"),
    "claim_granted": ("使用不能時間のご申請の審査結果(減額のご案内)", "Your claim is granted"),
    "claim_rejected": ("使用不能時間のご申請の審査結果", "Your claim is not granted"),
    "remedy": ("減額に代わる対応のご確認", "Another remedy is agreed"),
    "credit": ("減額の適用のお知らせ", "A reduction is taken off your bill"),
    "refund": ("ご返金のお知らせ", "A refund to your card"),
    "contract_end": ("ご契約終了のお知らせ", "Your contract has ended"),
    "terms": ("利用規約の変更のお知らせ", "The terms change"),
    "link_lapses": ("連携サービスの失効予定のお知らせ", "Your link is about to lapse"),
    "link_ended": ("連携サービスの終了のお知らせ", "Your link has ended"),
}
"""What each kind of document is called, in Japanese and English."""


def overdue(fee: OverdueFee) -> Notice:
    """A fee was not paid by its due date: what happens next, and how to prevent it."""
    transfer = fee.method != "card"
    if transfer:
        parts = ["main", "pay_now" if fee.by_on is None else "pay_by"]
    else:
        parts = ["main", "card_refused" if fee.next_attempt_on is None else "card_again"]
    if fee.pay_to:
        parts += ["transfer" if transfer else "transfer_too", *(["reference"] if fee.reference else [])]
    parts += ["suspends" if fee.suspends_on else "bears", "crossed"]
    facts = {
        "due_on": fee.due_on,
        "open_yen": fee.open_yen,
        "by_on": fee.by_on,
        "next_attempt_on": fee.next_attempt_on,
        "suspends_on": fee.suspends_on,
    }
    items = [_day("due", fee.due_on), *transfer_items(fee.pay_to, fee.reference), _yen("unpaid", fee.open_yen)]
    return _notice("overdue", parts, facts, items)


def transfer_items(pay_to: str, reference: str) -> list[Item]:
    """Where a transfer goes, and what to state with it, so that it finds its debt; nothing where no account is set."""
    if not pay_to:
        return []
    return [_words("pay_to", pay_to, pay_to), *([_words("reference", reference, reference)] if reference else [])]


def with_transfer(notice: Notice, pay_to: str, reference: str) -> Notice:
    """A notice of what is owed that says where to pay it and what to state, if a bank account is set."""
    if not pay_to:
        return notice
    said = _and(notice, "overdue", ["transfer_too", *(["reference"] if reference else [])])
    return replace(said, items=(*transfer_items(pay_to, reference), *notice.items))


def resumption(on: date) -> Notice:
    """Access is on again."""
    return _notice("resumption", ["main"], {"from_on": on})


def recalculation(on: date, yen: int, principal_yen: int, interest_yen: int, deposit_yen: int) -> Notice:
    """An earlier payment came to be known, and everything after its day was worked out again."""
    items = [_yen("unpaid", principal_yen), _yen("interest", interest_yen), _yen("deposit", deposit_yen)]
    return _notice("recalculation", ["main", "now"], {"paid_on": on, "yen": yen}, items)


def write_off(on: date, term_on: date, yen: int, interest_yen: int) -> Notice:
    """A fee with its interest, or what late payment left of interest, is given up.

    A release takes effect when the debtor is notified (Civil Code 519).
    """
    facts = {"from_on": on, "term_on": term_on, "yen": yen, "interest_yen": interest_yen}
    given_up = _yen("given_up", yen or interest_yen)
    return _notice("write_off", ["fee" if yen else "interest", "others"], facts, [given_up])


def suspension(on: date, days: int, open_yen: int, ends_on: date | None = None) -> Notice:
    """Access is off because a fee is overdue; `ends_on`: when the contract is over unless the fee is paid before."""
    facts = {"from_on": on, "days": days, "open_yen": open_yen, "ends_on": ends_on, "last_on": _before(ends_on)}
    parts = ["main", "resumes" if ends_on is None else "until", "fee_runs"]
    return _notice("suspension", parts, facts, [_yen("unpaid", open_yen)])


@dataclass(frozen=True, slots=True)
class Termination:
    """Why a contract is over: the fees that were late, or the ground that people state."""

    days: int = 0
    late_yen: int = 0
    ground: str | None = None


def termination(on: date, why: Termination, owed_yen: int, *, whole: bool = True) -> Notice:
    """The contract is over; `owed_yen` is due and unpaid now, `whole`: the running term's fee is owed in full."""
    facts = {"from_on": on, "days": why.days, "open_yen": why.late_yen, "ground": why.ground}
    main = "main" if why.ground is None else "by_people"
    if not owed_yen:
        return _notice("termination", [main], facts)
    said = _notice("termination", [main, "owed" if whole else "owed_to_day"], facts, [_yen("unpaid", owed_yen)])
    return _and(said, "overdue", ["pay_now"])


def suspension_by_people(on: date, ground: str, ends_on: date | None = None) -> Notice:
    """Access is off by a decision of people; `ends_on`: the contract is over then if it is still off."""
    parts = ["by_people", *(["not_renewed"] if ends_on else []), "fee_runs"]
    return _notice("suspension", parts, {"from_on": on, "ground": ground, "ends_on": ends_on})


def acceleration(on: date, yen: int, ground: str | None = None) -> Notice:
    """What is invoiced and not yet due is due at once: because a fee is overdue, or on a ground that people state."""
    facts = {"from_on": on, "yen": yen, "ground": ground}
    said = _notice("acceleration", ["late" if ground is None else "ground"], facts, [_yen("due_at_once", yen)])
    return _and(said, "overdue", ["pay_now"])


def renewal(starts_on: date, ends_on: date, yen: int, method: str, ask_by_on: date) -> Notice:
    """The contract is about to renew by itself: from when to when, at which price, and how not to."""
    return _renewal(voice(), starts_on, ends_on, yen, method, ask_by_on)


@lru_cache(maxsize=512)  # those of a night are alike
def _renewal(_: int, starts_on: date, ends_on: date, yen: int, method: str, ask_by_on: date) -> Notice:
    period = {"starts_on": starts_on, "last_on": _before(ends_on)}
    ja, en = (sentence("letter.item.period", lang, period) for lang in _BOTH)
    items = [
        _words("term", ja, en),
        _words("method", *(sentence(f"word.method.{method}", lang, {}) for lang in _BOTH)),
        _day("ask_by", ask_by_on),
        _yen("fee_of_term", yen),
    ]
    return _notice("renewal", ["main", "decline"], {"starts_on": starts_on, "ask_by_on": ask_by_on}, items)


def price_change(starts_on: date, from_yen: int, to_yen: int, ask_by_on: date) -> Notice:
    """The next term has another price; `to_yen` like `from_yen`: a change that was announced before is withdrawn."""
    return _price_change(voice(), starts_on, from_yen, to_yen, ask_by_on)


@lru_cache(maxsize=512)
def _price_change(_: int, starts_on: date, from_yen: int, to_yen: int, ask_by_on: date) -> Notice:
    facts = {"starts_on": starts_on, "from_yen": from_yen, "to_yen": to_yen, "ask_by_on": ask_by_on}
    if to_yen == from_yen:
        return _notice("price", ["withdrawn"], facts, [_yen("fee_of_term", to_yen)])
    items = [_day("ask_by", ask_by_on), _yen("fee_before", from_yen), _yen("fee_after", to_yen)]
    return _notice("price", ["main", "decline"], facts, items)


def set_off(on: date, yen: int) -> Notice:
    """Credits were set off against what is owed."""
    return _notice("set_off", ["main"], {"from_on": on, "yen": yen}, [_yen("set_off", yen)])


def interest_demand(
    on: date,
    new_yen: int,
    total_yen: int,
    rate: Fraction,
    workings_ja: Sequence[str],
    workings_en: Sequence[str],
    transfer: tuple[str, str] = ("", ""),
) -> Notice:
    """The demand for late interest: the whole owed, what is new in it, and how each debt came to its part."""
    facts = {"from_on": on, "new_yen": new_yen, "total_yen": total_yen, "rate": rate}
    items = [_yen("demanded_now", new_yen), _yen("interest_in_all", total_yen)]
    said = with_transfer(_notice("demand", ["main", "rate", "now"], facts, items), *transfer)
    said = _and(said, "demand", ["workings"])
    return replace(
        said, body_ja="\n".join((said.body_ja, *workings_ja)), body_en="\n".join((said.body_en, *workings_en))
    )


_BOTH: Final[tuple[Lang, Lang]] = ("ja", "en")


def _notice(kind: str, parts: Sequence[str], facts: Mapping[str, Any], items: Sequence[Item] = ()) -> Notice:
    ja, en = ("\n".join(sentence(f"letter.{kind}.{part}", lang, facts) for part in parts) for lang in _BOTH)
    return Notice(kind, ja, en, tuple(items))


def _and(notice: Notice, kind: str, parts: Sequence[str]) -> Notice:
    """The notice, and behind what it says these sentences of a kind, which need no facts."""
    more = _notice(kind, parts, {})
    return replace(notice, body_ja=f"{notice.body_ja}\n{more.body_ja}", body_en=f"{notice.body_en}\n{more.body_en}")


def _words(name: str, ja: str, en: str) -> Item:
    return {**_named(f"item.{name}"), "ja_text": ja, "en_text": en}


def _day(name: str, on: date) -> Item:
    return _words(name, day(on, True), day(on, False))


def _yen(name: str, yen: int) -> Item:
    return {**_named(f"row.{name}"), "yen": yen}


def _named(key: str) -> dict[str, str]:
    return {lang: sentence(f"letter.{key}", lang, {}) for lang in _BOTH}


def _before(day_after: date | None) -> date | None:
    return None if day_after is None else day_after - timedelta(days=1)
