"""What the user is told: notices and demands, in Japanese and English.

Pure: facts in, texts out. Every notice names its clause, its amounts and what to do next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Notice:
    """A document for a user; `kind` is one of user_notice's."""

    kind: str
    body_ja: str
    body_en: str


def suspension(on: date, days: int, open_yen: int) -> Notice:
    """Access is off because a fee is overdue."""
    return Notice(
        "suspension",
        f"利用料金{open_yen:,}円のお支払いが{days}日遅れているため、{_ja(on)}よりサービスの提供を停止いたしました。"
        "お支払いを確認しだい再開いたします。停止中も契約期間の利用料金は発生いたします。(第7条第1項、第4条第2項)",
        f"Your fee of {open_yen:,} yen is {days} days overdue, so access is suspended from {on}. It resumes when "
        "the fee is paid. The fee of the running term stays due meanwhile. (Articles 7.1 and 4.2)",
    )


def termination(on: date, days: int, open_yen: int) -> Notice:
    """The contract is over because a fee stayed unpaid."""
    return Notice(
        "termination",
        f"利用料金{open_yen:,}円のお支払いが{days}日遅れているため、{_ja(on)}をもってご契約を解除いたしました。"
        "未払いの利用料金は全額お支払いいただく必要があります。(第7条第1項、第2項)",
        f"Your fee of {open_yen:,} yen is {days} days overdue, so the contract is terminated as of {on}. "
        "What is unpaid stays owed in full. (Articles 7.1 and 7.2)",
    )


def termination_by_people(on: date, ground: str) -> Notice:
    """The contract is over by a decision of people, for a ground other than unpaid fees."""
    return Notice(
        "termination",
        f"{_ja(on)}をもってご契約を解除いたしました。理由: {ground}(第7条第1項)",
        f"Your contract is terminated as of {on}. Ground: {ground} (Article 7.1)",
    )


def suspension_by_people(on: date, ground: str) -> Notice:
    """Access is off by a decision of people."""
    return Notice(
        "suspension",
        f"{_ja(on)}よりサービスの提供を停止いたしました。理由: {ground}(第7条第1項)",
        f"Access is suspended from {on}. Ground: {ground} (Article 7.1)",
    )


def acceleration(on: date, yen: int) -> Notice:
    """What is invoiced and not yet due is due at once."""
    return Notice(
        "acceleration",
        f"お支払いの遅れにより、支払期日前の請求分を含む{yen:,}円を"
        f"{_ja(on)}付で一括してお支払いいただく必要があります。(第7条第2項)",
        f"Because a fee is overdue, {yen:,} yen that was invoiced for a later date is due at once, on {on}. "
        "(Article 7.2)",
    )


def set_off(on: date, yen: int) -> Notice:
    """Credits were set off against what is owed."""
    return Notice(
        "set_off",
        f"減額分{yen:,}円を、{_ja(on)}付で未払いの利用料金等と相殺いたしました。",
        f"Credits of {yen:,} yen were set off against what you owe, on {on}.",
    )


def interest_demand(
    on: date, new_yen: int, total_yen: int, rate: Fraction, workings_ja: Sequence[str], workings_en: Sequence[str]
) -> tuple[str, str]:
    """The demand for late interest: the whole owed, what is new in it, and how each debt came to its part."""
    percent = f"{Decimal(rate.numerator * 100) / Decimal(rate.denominator):f}"
    body_ja = (
        f"遅延損害金のご請求({_ja(on)}現在): 合計{total_yen:,}円(うち今回新たに請求する額{new_yen:,}円)。"
        f"年{percent}%の割合により、支払期日の翌日からお支払日まで発生します。"
        "元本のみに対して計算し、消費税はかかりません。(第5条第2項)"
    )
    body_en = (
        f"Late interest as of {on}: {total_yen:,} yen in all, of which {new_yen:,} yen is demanded now. It accrues at "
        f"{percent}% a year from the day after the due date to the day of payment, on unpaid fees only, without tax. "
        "(Article 5.2)"
    )
    return "\n".join((body_ja, *workings_ja)), "\n".join((body_en, *workings_en))


def _ja(on: date) -> str:
    return f"{on.year}年{on.month}月{on.day}日"
