"""Registration (Article 3): applications, their refusal, and the approval that forms a contract.

One by one, or many at once when a host moves in. An approval starts the first term and invoices it; the
service charges it then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from psycopg.errors import UniqueViolation
from sqlalchemy.dialects.postgresql import insert

from keizoku.billing.contracts import renewal_stage
from keizoku.billing.contracts.application import Application, check_application, intervals_of_plans
from keizoku.billing.contracts.code_redemption import prices_of_codes, use_codes
from keizoku.billing.contracts.key_sales import sell_what_is_used
from keizoku.billing.contracts.offers import OffersOf, keep, refuse_outlived, shown_to, versions_in_force
from keizoku.billing.contracts.price_lookup import load_prices, renewal_rules
from keizoku.billing.contracts.screening_records import agreed_versions, note_screening
from keizoku.billing.ledger.posting import Posting, post
from keizoku.billing.receivables import invoice_stage
from keizoku.billing.receivables.store_orders import order_of, owners_of, refuse_taken, write_orders
from keizoku.billing.rules.consent import Consent, ConsentError, consents, outdated
from keizoku.billing.rules.contract_lifecycle import Approval, NewTerm, first_term
from keizoku.billing.rules.documents.offer import Offer
from keizoku.billing.rules.payment_method import prepaid_terms
from keizoku.billing.rules.price_catalog import NoPriceError, agreed_yen
from keizoku.billing.rules.screening import PEOPLE
from keizoku.db.keys import next_ids
from keizoku.db.session import Session, copy_rows, numbers, plain_array, texts
from keizoku.db.tables.contracts import account as account_table
from keizoku.db.tables.contracts import contract
from keizoku.db.tables.contracts import plan as plan_table
from keizoku.db.tables.people import consent
from keizoku.terms.calendar import jst_day
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules

BY_APPLICATION: Final = "the application"  # who said whose an order is


@dataclass(frozen=True, slots=True)
class TakenApplication:
    """An application that can be taken, with its consents and the offer that it accepts (None: there was no price)."""

    application: Application
    consents: tuple[Consent, ...]
    offer: Offer | None


def register(
    session: Session, rules: Rules, applications: Sequence[Application], now: datetime, *, commit: bool = True
) -> list[int]:
    """Record applications; returns their contracts' ids. Refused as a whole if one of them cannot be taken."""
    taken, refused = sift(session, rules, applications)
    if refused:
        raise next(iter(refused.values()))
    ids = next_ids(session, contract, len(taken))
    try:
        _write(session, ids, taken, now)
    except UniqueViolation:
        session.rollback()
        raise Refused(
            "application.duplicate", "another application of the same account was taken at this moment"
        ) from None
    if commit:
        session.commit()
    return list(ids)


def sift(
    session: Session, rules: Rules, applications: Sequence[Application]
) -> tuple[list[TakenApplication], Mapping[int, Refused]]:
    """Those that can be taken, and for the others their place in the list and why not. Writes nothing."""
    intervals = intervals_of_plans(session)
    running = _running(session, [each.account for each in applications])
    in_force: dict[date, Mapping[str, str]] = {}
    offers = OffersOf(rules, load_prices(session), intervals)
    taken: list[TakenApplication] = []
    refused: dict[int, Refused] = {}
    seen: set[str] = set()
    owners = owners_of(session, {order_of(each.order) for each in applications if each.order})
    for place, each in enumerate(applications):
        who = f"account {each.account}"
        try:
            check_application(each, intervals)
            if each.account in running:
                raise Refused("application.duplicate", f"{who}: {running[each.account]}; a second one is refused")
            if each.account in seen:
                raise Refused("application.duplicate", f"{who}: it applies twice at once")
            if each.order is not None:
                refuse_taken(order_of(each.order), each.account, owners)
            on = jst_day(each.at)
            if on not in in_force:
                in_force[on] = versions_in_force(rules, on)
            agreed = consents(each.consents, in_force[on])
            taken.append(TakenApplication(each, agreed, offers.accepted(each)))
            seen.add(each.account)
            if each.order is not None:
                owners[order_of(each.order)] = each.account
        except Refused as why:
            refused[place] = why
        except ConsentError as why:
            refused[place] = Refused("application.consent", f"{who}: {why}")
        except UncoveredDateError as why:
            refused[place] = Refused("terms.not_in_force", f"{who}: {why}")
    return taken, refused


def _running(session: Session, accounts: Sequence[str]) -> dict[str, str]:
    """account -> what stands in the way of another contract."""
    rows = session.execute(
        sa.select(contract.c.account, contract.c.approved_at, contract.c.applied_at, contract.c.renews_on).where(
            contract.c.account == sa.any_(texts(accounts)),
            contract.c.ended_on.is_(None),
            contract.c.rejected_at.is_(None),
        )
    )
    return {
        row.account: f"a contract is applied for already, since {jst_day(row.applied_at)}"
        if row.approved_at is None
        else f"a contract is running, at least until {row.renews_on}"
        for row in rows
    }


def _write(session: Session, ids: Sequence[int], taken: Sequence[TakenApplication], now: datetime) -> None:
    session.execute(
        insert(account_table).on_conflict_do_nothing(index_elements=["id"]),
        [{"id": each.application.account, "created_at": each.application.at} for each in taken],
    )
    applied = [(i, each.application) for i, each in zip(ids, taken, strict=True)]
    copy_rows(
        session,
        contract,
        (
            "id",
            "account",
            "plan",
            "method",
            "applied_at",
            "paid_months",
            "prepaid_method",
            "fallback",
            "recorded_at",
        ),
        (
            (i, a.account, a.plan, a.method, a.at, a.months, a.method if a.months else None, a.fallback, now)
            for i, a in applied
        ),
    )
    orders = {order_of(a.order): a.account for _, a in applied if a.order is not None}
    if orders:
        write_orders(session, orders, BY_APPLICATION, now)
    copy_rows(
        session,
        consent,
        ("contract_id", "account", "terms", "version", "stated", "consented_at", "recorded_at"),
        (
            (i, each.application.account, c.terms, c.version, c.stated, each.application.at, now)
            for i, each in zip(ids, taken, strict=True)
            for c in each.consents
        ),
    )
    keep(
        session,
        (
            (i, each.application.account, each.offer, each.application.shown_at or each.application.at)
            for i, each in zip(ids, taken, strict=True)
            if each.offer is not None
        ),
        now,
    )


def approve(
    session: Session,
    rules: Rules,
    approvals: Mapping[int, datetime],
    now: datetime,
    *,
    by: str = PEOPLE,
    ground: str | None = None,
) -> None:
    """Form the contracts with these ids, each at its own instant; their first terms are invoiced. Charging is next.

    The first term has the price that the applicant was shown, or the one in force where that is lower. Raises Refused
    where a plan has no price, no terms are in force on the day, other terms than those agreed to are, what was shown
    holds no more, or an application is not waiting any more; nothing is formed or kept then.
    """
    rows = session.execute(
        sa.select(contract, plan_table.c.interval)
        .join(plan_table, plan_table.c.code == contract.c.plan)
        .where(
            contract.c.id == sa.any_(numbers(approvals)),
            contract.c.approved_at.is_(None),
            contract.c.rejected_at.is_(None),
        )
        .order_by(contract.c.id)
        .with_for_update(of=contract)
    ).all()
    if len(rows) < len(approvals):
        session.rollback()
        raise Refused(
            "application.decided_meanwhile", "an application was approved or rejected by somebody else at this moment"
        )
    agreed = agreed_versions(session, list(approvals))
    shown = shown_to(session, list(approvals))
    prices = load_prices(session)
    by_code = prices_of_codes(session, rows)
    first: list[NewTerm] = []
    keys: list[Posting] = []
    try:
        for row in rows:
            on = jst_day(approvals[row.id])
            if missing := outdated(agreed.get(row.id, {}), versions_in_force(rules, on)):
                raise Refused(
                    "application.terms_changed",
                    f"account {row.account}: it has not agreed to {', '.join(missing)}, in force on {on}",
                    "reject the application and let the user apply again",
                )
            refuse_outlived(rules, row.account, shown.get(row.id), on)
            choices = renewal_rules(rules, prices, on)
            term = first_term(
                Approval(
                    contract_id=row.id,
                    account=row.account,
                    plan=row.plan,
                    interval=row.interval,
                    method=row.method,
                    approved_at=approvals[row.id],
                    anchor_on=on,
                    agreed_yen=by_code.get(row.id)
                    or agreed_yen(shown.get(row.id), choices.price_yen(row.plan, row.account, on, False)),
                ),
                choices,
            )
            first.append(term)
            if row.method == "product_key" and row.id not in by_code:
                yen = term.price_yen * prepaid_terms(row.paid_months, row.interval)
                keys.append(Posting("key_sold", f"contract:{row.id}:key", on, {"yen": yen}, row.account))
    except Refused:
        session.rollback()
        raise
    except NoPriceError as error:
        session.rollback()
        raise Refused("plan.no_price", str(error)) from None
    except UncoveredDateError as error:
        session.rollback()
        raise Refused("terms.not_in_force", str(error)) from None
    session.execute(
        sa.text(
            "UPDATE contract SET approved_at = formed.approved_at, anchor_on = formed.anchor_on, "
            "renews_on = formed.renews_on FROM unnest(CAST(:ids AS bigint[]), CAST(:instants AS timestamptz[]), "
            "CAST(:anchors AS date[]), CAST(:ends AS date[])) AS formed (id, approved_at, anchor_on, renews_on) "
            "WHERE contract.id = formed.id"
        ),
        {
            "ids": plain_array(each.contract_id for each in first),
            "instants": plain_array(each.starts_at for each in first),
            "anchors": plain_array(each.starts_on for each in first),
            "ends": plain_array(each.ends_on for each in first),
        },
    )
    if by_code:
        use_codes(session, {each.contract_id: each.starts_on for each in first})
        sell_what_is_used(session, list(by_code), now)
    note_screening(
        session, [(each.contract_id, each.account, each.starts_at) for each in first], "approved", by, ground, now
    )
    renewal_stage.save_terms(session, first, now)
    post(session, keys, now)
    for chunk in invoice_stage.all_due(session, contract_ids=list(approvals)):
        invoice_stage.save(session, invoice_stage.decide(rules, chunk), now, commit=False)
    session.commit()
