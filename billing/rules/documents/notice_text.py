"""The texts of notices and demands, in Japanese and English.

Pure: facts in, texts out. Every notice names its clause, its amounts and what to do next.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final


@dataclass(frozen=True, slots=True)
class Notice:
    """A document for a user; `kind` is one of user_notice's."""

    kind: str
    body_ja: str
    body_en: str


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
    "link_lapses": ("連携サービスの失効予定のお知らせ", "Your link is about to lapse"),
    "link_ended": ("連携サービスの終了のお知らせ", "Your link has ended"),
}
"""What each kind of document is called, in Japanese and English."""


def overdue(fee: OverdueFee) -> Notice:
    """A fee was not paid by its due date: what happens next, and how to prevent it."""
    if fee.method != "card":
        next_ja = "お早めにお振込みください。"
        next_en = "Please pay it now."
    elif fee.next_attempt_on is None:
        next_ja = (
            "登録されたカードではお支払いいただけませんでした。新しいカードをご登録ください。"
            "ただちにお支払いの手続きをいたします。"
        )
        next_en = "Your card was refused. Please register another one; it is charged at once."
    else:
        next_ja = (
            f"登録されたカードに{_ja(fee.next_attempt_on)}に改めてご請求いたします。"
            "別のカードを登録いただくこともできます。"
        )
        next_en = f"Your card is charged again on {fee.next_attempt_on}; you may register another one before."
    transfer_ja, transfer_en = _transfer(fee)
    stops_ja = f"、{_ja(fee.suspends_on)}にサービスの提供を停止いたします" if fee.suspends_on else "いたします"
    stops_en = f", and access is suspended on {fee.suspends_on}" if fee.suspends_on else ""
    return Notice(
        "overdue",
        f"{_ja(fee.due_on)}が支払期日の利用料金{fee.open_yen:,}円のお支払いを確認できておりません。{next_ja}"
        f"{transfer_ja}"
        f"未払いのままですと遅延損害金が発生{'し' if fee.suspends_on else ''}{stops_ja}。"
        "(第5条第2項、第4項、第7条第1項)",
        f"Your fee of {fee.open_yen:,} yen was due on {fee.due_on} and is not paid. {next_en} "
        f"{transfer_en}Until it is paid it bears late interest{stops_en}. (Articles 5.2, 5.4 and 7.1)",
    )


def _transfer(fee: OverdueFee) -> tuple[str, str]:
    """Where a transfer goes, and what to state with it, so that it finds its debt."""
    if not fee.pay_to:
        return "", ""
    also_ja, also_en = (
        ("", "") if fee.method != "card" else ("お振込みでもお支払いいただけます。", "You may also pay by transfer. ")
    )
    named_ja = f"振込依頼人名の前に、お支払い番号{fee.reference}をご入力ください。" if fee.reference else ""
    named_en = f"Please put the number {fee.reference} before your name. " if fee.reference else ""
    return f"{also_ja}振込先: {fee.pay_to}。{named_ja}", f"{also_en}Account: {fee.pay_to}. {named_en}"


def resumption(on: date) -> Notice:
    """Access is on again."""
    return Notice(
        "resumption",
        f"{_ja(on)}よりサービスの提供を再開いたしました。(第7条第1項)",
        f"Your access is back from {on}. (Article 7.1)",
    )


def recalculation(on: date, yen: int, principal_yen: int, interest_yen: int, deposit_yen: int) -> Notice:
    """An earlier payment came to be known, and everything after its day was worked out again."""
    return Notice(
        "recalculation",
        f"{_ja(on)}にいただいた{yen:,}円のご入金を、その日に遡って反映いたしました。以後の遅延損害金とご入金の充当を"
        f"計算し直した結果、現在の未払いの利用料金は{principal_yen:,}円、遅延損害金は{interest_yen:,}円、お預かりしている"
        f"金額は{deposit_yen:,}円です。(第5条第2項)",
        f"Your payment of {yen:,} yen counts from {on}, the day on which it reached us. Late interest and what later "
        f"payments paid were worked out again: now {principal_yen:,} yen of fees and {interest_yen:,} yen of late "
        f"interest are unpaid, and we keep {deposit_yen:,} yen for you. (Article 5.2)",
    )


def write_off(on: date, term_on: date, yen: int, interest_yen: int) -> Notice:
    """A fee with its interest, or what late payment left of interest, is given up.

    A release takes effect when the debtor is notified (Civil Code 519).
    """
    if not yen:
        return Notice(
            "write_off",
            f"{_ja(term_on)}から始まる契約期間の利用料金に生じた遅延損害金{interest_yen:,}円は、{_ja(on)}付で請求しない"
            "ことといたしました。ほかの未払いがある場合、その分は引き続きお支払いが必要です。(民法第519条)",
            f"The late interest of {interest_yen:,} yen on the fee for the term that began on {term_on} is no longer "
            f"asked of you as of {on}. Whatever else is unpaid stays owed. (Civil Code 519)",
        )
    return Notice(
        "write_off",
        f"{_ja(term_on)}から始まる契約期間の未払いの利用料金{yen:,}円とその遅延損害金は、{_ja(on)}付で請求しないことと"
        "いたしました。ほかの未払いがある場合、その分は引き続きお支払いが必要です。(民法第519条)",
        f"The unpaid fee of {yen:,} yen for the term that began on {term_on}, and the late interest on it, are no "
        f"longer asked of you as of {on}. Whatever else is unpaid stays owed. (Civil Code 519)",
    )


def suspension(on: date, days: int, open_yen: int, ends_on: date | None = None) -> Notice:
    """Access is off because a fee is overdue; `ends_on`: when the contract is over unless the fee is paid before."""
    if ends_on is None:
        then_ja, then_en = "お支払いを確認しだい再開いたします。", "It resumes when the fee is paid."
    else:
        last_on = ends_on - timedelta(days=1)
        then_ja = (
            f"{_ja(last_on)}までにお支払いを確認できましたら、ただちに再開いたします。確認できない場合、ご契約は{_ja(ends_on)}に終了し、"
            "未払いの利用料金は引き続きお支払いいただく必要があります。"
        )
        then_en = (
            f"It resumes when the fee is paid, up to {last_on}. If it is not paid by then, the contract ends on "
            f"{ends_on}, and what is unpaid stays owed."
        )
    return Notice(
        "suspension",
        f"利用料金{open_yen:,}円のお支払いが{days}日遅れているため、{_ja(on)}よりサービスの提供を停止いたしました。"
        f"{then_ja}停止中も契約期間の利用料金は発生いたします。(第7条第1項、第4条第2項)",
        f"Your fee of {open_yen:,} yen is {days} days overdue, so access is suspended from {on}. {then_en} "
        "The fee of the running term stays due meanwhile. (Articles 7.1 and 4.2)",
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


def suspension_by_people(on: date, ground: str, ends_on: date | None = None) -> Notice:
    """Access is off by a decision of people; `ends_on`: the contract is over then if it is still off."""
    then_ja = (
        f"{_ja(ends_on)}の時点で停止が続いている場合、ご契約は更新されず、同日に終了いたします。" if ends_on else ""
    )
    then_en = f"If it is still off on {ends_on}, the contract is not renewed and ends then. " if ends_on else ""
    return Notice(
        "suspension",
        f"{_ja(on)}よりサービスの提供を停止いたしました。理由: {ground}。{then_ja}(第7条第1項)"
        if then_ja
        else f"{_ja(on)}よりサービスの提供を停止いたしました。理由: {ground}(第7条第1項)",
        f"Access is suspended from {on}. Ground: {ground}{'. ' if then_en else ' '}{then_en}(Article 7.1)",
    )


def acceleration(on: date, yen: int, ground: str | None = None) -> Notice:
    """What is invoiced and not yet due is due at once: because a fee is overdue, or on a ground that people state."""
    why_ja = "お支払いの遅れにより" if ground is None else f"次の理由により({ground})"
    why_en = "Because a fee is overdue," if ground is None else f"On this ground: {ground},"
    return Notice(
        "acceleration",
        f"{why_ja}、期限の利益を失われましたので、支払期日前の請求分{yen:,}円を"
        f"{_ja(on)}付で一括してお支払いいただく必要があります。(第7条第2項)",
        f"{why_en} {yen:,} yen that was invoiced for a later date is due at once, on {on}. (Article 7.2)",
    )


def renewal(starts_on: date, ends_on: date, yen: int, method: str, ask_by_on: date) -> Notice:
    """The contract is about to renew by itself: from when to when, at which price, and how not to."""
    last_on = ends_on - timedelta(days=1)
    method_ja, method_en = METHOD_NAMES[method]
    return Notice(
        "renewal",
        f"ご契約は{_ja(starts_on)}に自動更新されます。更新後の期間は{_ja(last_on)}まで、利用料金は{yen:,}円(税込)、"
        f"決済手段は{method_ja}です。更新を希望されない場合は、{_ja(ask_by_on)}までに利用終了のお手続きをお願いいたします。"
        "(第3条第3項、第6条第1項)",
        f"Your contract renews by itself on {starts_on}. The new term lasts until {last_on} and costs {yen:,} yen, tax "
        f"included, paid by {method_en}. If you do not wish to go on, please ask to end use by {ask_by_on}. "
        "(Articles 3.3 and 6.1)",
    )


def price_change(starts_on: date, from_yen: int, to_yen: int, ask_by_on: date) -> Notice:
    """The next term has another price; `to_yen` like `from_yen`: a change that was announced before is withdrawn."""
    if to_yen == from_yen:
        return Notice(
            "price",
            f"先にお知らせした利用料金の改定は取りやめとなり、{_ja(starts_on)}からの期間も{to_yen:,}円(税込)のままです。"
            "(第4条第3項)",
            f"The change of price that we told you of is withdrawn: the term from {starts_on} costs {to_yen:,} yen as "
            "before, tax included. (Article 4.3)",
        )
    return Notice(
        "price",
        f"{_ja(starts_on)}に更新される期間から、利用料金が{from_yen:,}円から{to_yen:,}円(税込)に変わります。"
        f"改定後の料金でのご利用を希望されない場合は、{_ja(ask_by_on)}までに利用終了のお手続きをお願いいたします。"
        "お手続きがない場合は、改定後の料金にご同意いただいたものとして扱います。(第4条第3項)",
        f"From the term that begins on {starts_on} your fee changes from {from_yen:,} yen to {to_yen:,} yen, tax "
        f"included. If you do not wish to go on at that price, please ask to end use by {ask_by_on}; going on counts "
        "as consent. (Article 4.3)",
    )


METHOD_NAMES = {
    "card": ("クレジットカード", "card"),
    "coupon": ("クーポン", "coupon"),
    "product_key": ("プロダクトキー", "product key"),
    "app_store": ("アプリストア", "app store"),
    "other": ("その他の方法", "other means"),
}


def set_off(on: date, yen: int) -> Notice:
    """Credits were set off against what is owed."""
    return Notice(
        "set_off",
        f"減額分{yen:,}円を、{_ja(on)}付で未払いの利用料金等と相殺いたしました。(民法第505条、第506条)",
        f"Credits of {yen:,} yen were set off against what you owe, on {on}. (Civil Code 505 and 506)",
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
