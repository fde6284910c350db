"""The figures that finance asks for after the demo: contracts, money, the month's outages, claims, credits, books.

Read only; whole yen and whole seconds; every figure is counted from the rows, as of the morning after the last
night. Words stand in Japanese and English.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from keizoku.billing.accounts.account_views import trial_balance
from keizoku.billing.receivables.open_items import invoice_due_on
from keizoku.billing.rules.books.chart import CHART
from keizoku.db.session import Session
from keizoku.db.tables.books import certificate, entry, line
from keizoku.db.tables.contracts import contract, suspension
from keizoku.db.tables.money import (
    allocation,
    credit,
    credit_application,
    credit_refund,
    demand,
    invoice,
    payment_attempt,
    review_task,
    settlement,
)
from keizoku.scheduler.app import Services
from keizoku.scheduler.demo.files import MONTH
from keizoku.scheduler.demo.links import link_figures
from keizoku.scheduler.demo.play import Played
from keizoku.sla.claims.claim_views import claim_list
from keizoku.sla.claims.read_models import ClaimRow
from keizoku.sla.months.month_facts import load_service_month
from keizoku.sla.pictures.timeline import LOOKS
from keizoku.sla.review_queue import policy_of
from keizoku.sla.rules.intervals import length
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms.calendar import Month, jst_day
from keizoku.terms.words import percent

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its name in both languages; `unit` is yen, seconds or nothing for a count."""

    key: str
    ja: str
    en: str
    value: int
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """An account's balance: one of the two sides is zero."""

    code: str
    ja: str
    en: str
    debit_yen: int
    credit_yen: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that the demo shows: on the screen, as JSON and on the page."""

    as_of: date
    month: Month
    terms_version: str
    contracts: tuple[Figure, ...]
    money: tuple[Figure, ...]
    service: ServiceMonth
    stops: tuple[Figure, ...]
    unusable_seconds: int
    rate: str
    claims: tuple[Figure, ...]
    credits: tuple[Figure, ...]
    links: tuple[Figure, ...]
    revenue: tuple[tuple[str, int], ...]
    balances: tuple[Balance, ...]
    nights: int
    certificates_ok: int
    tasks: tuple[Figure, ...]
    remarks: tuple[str, ...]
    explained: str

    @property
    def debit_yen(self) -> int:
        """Sum of the debit side."""
        return sum(each.debit_yen for each in self.balances)

    @property
    def credit_yen(self) -> int:
        """Sum of the credit side."""
        return sum(each.credit_yen for each in self.balances)

    def value(self, key: str) -> int:
        """The figure of this key; KeyError if there is none."""
        parts = (self.contracts, self.money, self.stops, self.claims, self.credits, self.links, self.tasks)
        return {figure.key: figure.value for part in parts for figure in part}[key]

    def to_json(self) -> Json:
        """The summary as JSON."""
        return {
            "as_of": self.as_of.isoformat(),
            "month": str(self.month),
            "terms": self.terms_version,
            "gateway": "simulated",
            "contracts": _values(self.contracts),
            "money": _values(self.money),
            "stops": _values(self.stops),
            "unusable_seconds": self.unusable_seconds,
            "rate": self.rate,
            "claims": _values(self.claims),
            "credits": _values(self.credits),
            "links": _values(self.links),
            "partner": "simulated",
            "revenue_by_month": dict(self.revenue),
            "trial_balance": [
                {
                    "code": each.code,
                    "ja": each.ja,
                    "en": each.en,
                    "debit": each.debit_yen,
                    "credit": each.credit_yen,
                }
                for each in self.balances
            ],
            "nights": self.nights,
            "certificates_ok": self.certificates_ok,
            "tasks": _values(self.tasks),
            "remarks": list(self.remarks),
            "explained_claim": self.explained,
        }


def summarise(services: Services, played: Played, at: datetime) -> Summary:
    """Count everything at `at`, the instant of the last night."""
    session, policy = services.session, policy_of(services.rules, MONTH)
    service = load_service_month(session, services.rules, MONTH, at)
    unusable_seconds = length(service.unusable)
    tier = policy.sla.tier(unusable_seconds)
    claims = claim_list(session, at, MONTH)
    certificates = _certificates(session)
    return Summary(
        as_of=jst_day(at),
        month=MONTH,
        terms_version=policy.version,
        contracts=tuple(_contracts(session)),
        money=tuple(_money(session, jst_day(at))),
        service=service,
        stops=tuple(
            Figure(bucket, LOOKS[bucket].ja, LOOKS[bucket].en, seconds, "seconds")
            for bucket, seconds in service.waterfall().items()
        ),
        unusable_seconds=unusable_seconds,
        rate=percent(tier.rate, ja=False) if tier else "0%",
        claims=tuple(_claims(claims)),
        credits=tuple(_credits(session)),
        links=tuple(Figure(*each) for each in link_figures(session)),
        revenue=tuple(_revenue(session)),
        balances=tuple(_balances(session)),
        nights=len(played.nights),
        certificates_ok=sum(state == "ok" for state in certificates.values()),
        tasks=tuple(_tasks(session)),
        remarks=played.remarks,
        explained=_telling(claims),
    )


ENDED = {
    "end_of_use": ("終了 利用終了の申出", "ended: the user asked for it"),
    "leave_service": ("終了 退会", "ended: the user left the service"),
    "delete_user": ("終了 ユーザーIDの削除", "ended: user id deleted"),
    "prepaid_used_up": ("終了 クーポン等の期間満了", "ended: coupon or key used up"),
    "suspension": ("終了 利用停止中の期間満了", "ended: the term ran out while suspended"),
    "sale_void": ("終了 売上の取消し", "ended: the sale is void after a dispute"),
    "termination": ("終了 解除", "ended: terminated for unpaid fees"),
}
OUTCOMES = {
    "granted": ("減額・返金", "granted"),
    "threshold": ("対象外 基準時間以下", "rejected: not more than 3.6 hours"),
    "method": ("対象外 カード以外の決済", "rejected: not paid by card"),
    "deadline": ("対象外 申請期限後", "rejected: after the deadline"),
    "not_member": ("対象外 会員期間なし", "rejected: no premium contract"),
    "pending": ("判定前", "not decided yet"),
    "withdrawn": ("取消し", "withdrawn"),
}
TASKS = {
    "attempt_unknown": ("決済結果不明", "a charge whose outcome nobody knows"),
    "charged_too_much": ("過請求", "a card paid what was already paid"),
    "credit_over_granted": ("認容額の超過", "more was granted than is now due"),
    "credit_without_charge": ("返金先なし", "a credit with no charge to refund"),
    "remedy_and_credit": ("措置と減額の重複", "another remedy was performed, and part of its credit was used"),
    "dispute_won_late": ("支払後の異議申立ての勝訴", "a dispute won on appeal after its fee was paid or voided"),
    "dispute_beyond_fee": ("異議申立ての超過", "a lost dispute of more than the fee that the card paid"),
    "dispute_of_unknown_payment": ("不明な支払いへの異議", "a dispute of a payment that is not ours"),
    "gateway_movement": ("決済代行の不明な入出金", "a movement of the gateway that no rule books"),
    "refund_failed": ("返金失敗", "a refund that failed"),
    "refund_unknown": ("返金結果不明", "a refund whose outcome nobody knows"),
    "restored_act": ("復元前の出来事", "a charge, refund or transfer of before a restore that no row knows"),
    "restored_database": ("復元後の確認待ち", "a restored database that waits for the gateway"),
}


def _contracts(session: Session) -> Iterable[Figure]:
    suspended = sa.exists().where(suspension.c.contract_id == contract.c.id, suspension.c.lifted_at.is_(None))
    running = sa.case((suspended, "suspended"), else_="active")
    state = sa.case((contract.c.ended_on.is_not(None), contract.c.ended_reason), else_=running)
    counts = _counts(session, state, contract.c.approved_at.is_not(None))
    yield Figure("contracts", "契約", "contracts", sum(counts.values()))
    yield Figure("active", "有効", "active", counts.pop("active", 0))
    yield Figure("suspended", "利用停止中", "suspended", counts.pop("suspended", 0))
    for reason, (ja, en) in ENDED.items():
        if reason in counts:
            yield Figure(f"ended_{reason}", ja, en, counts[reason])


def _money(session: Session, today: date) -> Iterable[Figure]:
    """What was invoiced, and where it went: credits, cards, transfers, still open."""
    settled = _sums(session, settlement.c.kind, settlement.c.yen)
    living = invoice.c.state != "void"
    overdue = sa.and_(invoice.c.state == "open", invoice_due_on < today)
    yield Figure("invoices", "請求書", "invoices", _one(session, sa.func.count(), living))
    yield Figure("invoiced", "請求額", "invoiced", _one(session, sa.func.sum(invoice.c.total_yen), living), "yen")
    yield Figure("by_credit", "SLA減額の充当", "less SLA credits", settled.get("credit", 0), "yen")
    yield Figure("by_card", "カード決済", "collected by card", settled.get("card", 0), "yen")
    yield Figure("by_transfer", "振込入金", "collected by transfer", settled.get("receipt", 0), "yen")
    yield Figure("open", "未収", "still open", _one(session, sa.func.sum(invoice.c.open_yen), living), "yen")
    yield Figure(
        "overdue", "うち延滞", "of that overdue", _one(session, sa.func.sum(invoice.c.open_yen), overdue), "yen"
    )
    yield Figure("declined", "カード決済の失敗", "card charges declined", _one(
        session, sa.func.count(), payment_attempt.c.outcome.in_(("declined_soft", "declined_hard", "needs_user"))
    ))  # fmt: skip
    yield Figure(
        "interest_demanded", "遅延損害金の請求", "late interest demanded",
        _one(session, sa.func.sum(demand.c.interest_yen)), "yen",
    )  # fmt: skip
    yield Figure(
        "interest_paid", "遅延損害金の入金", "late interest received",
        _one(session, sa.func.sum(allocation.c.yen), allocation.c.kind == "interest"), "yen",
    )  # fmt: skip


def _claims(claims: Iterable[ClaimRow]) -> Iterable[Figure]:
    counts: dict[str, int] = {}
    for each in claims:
        key = each.reason or each.outcome
        counts[key] = counts.get(key, 0) + 1
    yield Figure("claims", "申請", "claims", sum(counts.values()))
    for key, (ja, en) in OUTCOMES.items():
        if key in counts:
            yield Figure(key, ja, en, counts[key])


def _credits(session: Session) -> Iterable[Figure]:
    refunded = _one(
        session,
        sa.func.sum(credit_refund.c.yen),
        credit_refund.c.outcome == "succeeded",
        credit_refund.c.failed_on.is_(None),
    )
    yield Figure(
        "accounts_credited",
        "減額対象の会員",
        "members with a credit",
        _one(session, sa.func.count(credit.c.account.distinct())),
    )
    yield Figure("granted_yen", "認容額", "granted", _one(session, sa.func.sum(credit.c.granted_yen)), "yen")
    yield Figure(
        "applied_yen", "請求から減額", "taken off invoices", _one(session, sa.func.sum(credit_application.c.yen)), "yen"
    )
    yield Figure("refunded_yen", "カードへ返金", "refunded to cards", refunded, "yen")
    yield Figure(
        "available_yen",
        "繰越",
        "waiting for the next invoice",
        _one(session, sa.func.sum(credit.c.available_yen)),
        "yen",
    )


def _revenue(session: Session) -> Iterable[tuple[str, int]]:
    """Subscription revenue by the month in which it was earned, less SLA reductions, without tax."""
    month = sa.func.to_char(entry.c.posted_on, "YYYY-MM")
    query = (
        sa.select(month, -sa.func.sum(line.c.yen))
        .join(line, line.c.entry_id == entry.c.id)
        .where(line.c.code.in_(("4110", "4190")))
        .group_by(month)
        .order_by(month)
    )
    for name, yen in session.execute(query):
        yield str(name), int(yen)


def _balances(session: Session) -> Iterable[Balance]:
    balances = trial_balance(session)
    for account in CHART:
        yen = balances.get(account.code, 0)
        if yen:
            yield Balance(account.code, account.ja, account.en, max(yen, 0), max(-yen, 0))


def _tasks(session: Session) -> Iterable[Figure]:
    for kind, count in _counts(session, review_task.c.kind, review_task.c.closed_at.is_(None)).items():
        ja, en = TASKS.get(kind, (kind, kind))
        yield Figure(kind, ja, en, count)


def _certificates(session: Session) -> dict[date, str]:
    """The state of the last certificate of each business date."""
    rows = session.execute(sa.select(certificate.c.business_date, certificate.c.state).order_by(certificate.c.id))
    return {row.business_date: row.state for row in rows}


def _telling(claims: Iterable[ClaimRow]) -> str:
    """A granted claim for a part of the outages: it shows the most buckets; else any claim."""
    granted = [each for each in claims if each.outcome == "granted"]
    chosen = min(granted, key=lambda each: (each.seconds or 0, each.received_at, each.id), default=None)
    return chosen.id if chosen else ""


def _counts(session: Session, key: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> dict[str, int]:
    rows = session.execute(sa.select(key, sa.func.count()).where(*where).group_by(key).order_by(key))
    return {str(name): int(count) for name, count in rows}


def _sums(session: Session, key: sa.ColumnElement[Any], yen: sa.ColumnElement[int]) -> dict[str, int]:
    return {str(name): int(total) for name, total in session.execute(sa.select(key, sa.func.sum(yen)).group_by(key))}


def _one(session: Session, what: sa.ColumnElement[Any], *where: sa.ColumnElement[bool]) -> int:
    return int(session.execute(sa.select(sa.func.coalesce(what, 0)).where(*where)).scalar_one())


def _values(figures: Iterable[Figure]) -> dict[str, int]:
    return {figure.key: figure.value for figure in figures}
