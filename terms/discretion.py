"""What the contract leaves to the operator: settings, not terms.

Every field names the clause that leaves the room. The defaults are ours; `keizoku settings` lists them, a
scenario may override them by name.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from keizoku.terms.api_link.link_discretion import LinkDiscretion

Days = Annotated[int, Field(ge=0)]


def _setting(default: Any, clause: str, description: str, *, ge: int | None = None, le: int | None = None) -> Any:
    return Field(default=default, description=description, json_schema_extra={"clause": clause}, ge=ge, le=le)


class Discretion(LinkDiscretion, BaseModel):
    """The operator's settings where the contract leaves discretion."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    related_terms: tuple[str, ...] = _setting(
        (),
        "premium/3.2",
        "versions of the related terms that an application agrees to, each name/day in force from: base/2025-04-01",
    )
    offer_valid_days: Days = _setting(
        30,
        "premium/3.3",
        "days from the day on which an offer was shown in which an approval may accept it; 0: without limit",
    )
    screening_grounds: tuple[str, ...] = _setting(
        (),
        "premium/3.5",
        "the operator's list of grounds on which an application is rejected; empty: any ground that is stated",
    )
    retry_after_days: tuple[Days, ...] = _setting(
        (3, 5, 7),
        "premium/7.1.2",
        "days after the due date on which a failed card charge is tried again; may be empty",
    )
    hard_decline_codes: tuple[str, ...] = _setting(
        ("no_saved_card",),
        "premium/5.4",
        "decline codes, besides the gateway's own list, after which no retry is made until a new card is registered",
    )
    retry_resend_hours: int = _setting(
        23,
        "premium/5.2",
        "hours from the first send in which an attempt of unknown outcome is resent with its key",
        ge=1,
        le=23,
    )
    minimum_card_charge_yen: int = _setting(50, "premium/5.2", "the least amount that a card can be charged", ge=1)
    small_rest_write_off_yen: int = _setting(
        0,
        "premium/5.2",
        "what a card cannot be charged for is given up by the night after the term, up to so much; 0: never",
        ge=0,
    )
    invoice_due_days_other: Days = _setting(
        14,
        "premium/4.1",
        "days from issue to the due date of an invoice that is paid by other means than card",
    )
    suspend_after_days: Days = _setting(10, "premium/7.1.2", "days overdue after which use is suspended")
    terminate_after_days: Days = _setting(40, "premium/7.1.2", "days overdue after which the contract is terminated")
    suspended_term_renews: bool = _setting(
        False, "premium/7.1", "whether a term that ends while the contract is suspended is renewed"
    )
    end_of_use_days_before: Days = _setting(
        0,
        "premium/3.3",
        "days before the last day of the term by which a request to end use has to arrive; 0: on that day",
    )
    price_announce_days: Days = _setting(
        0,
        "premium/4.3",
        "least days from the announcement of a price to its first day for new contracts",
    )
    price_migration_days: Days = _setting(
        30, "premium/4.3", "least days from the announcement of a price to its first renewal"
    )
    renewal_notice_days_month: Days = _setting(
        0, "premium/3.3", "days before a monthly term renews by which the user is notified; 0: not at all"
    )
    renewal_notice_days_year: Days = _setting(
        30, "premium/3.3", "days before a yearly term renews by which the user is notified; 0: not at all"
    )
    price_notice_days: Days = _setting(
        30,
        "premium/4.3",
        "days before the first renewal at another price by which the user is notified; 0: not at all",
    )
    terms_notice: bool = _setting(
        True,
        "premium/2.3",
        "whether each user is written to about new terms, once they are announced; the announcement alone binds",
    )
    dispute_lost: Literal["claim_stays", "sale_void"] = _setting(
        "claim_stays",
        "premium/5.2",
        "what a lost dispute means unless people choose for it: claim_stays (the fee is owed again), sale_void",
    )
    prepaid_issuer: Literal["by_balance", "notified"] = _setting(
        "by_balance",
        "premium/5.1.1.b",
        "from when the law's limits on refunds of keys bind: by_balance (more than 10,000,000 yen of keys were unused "
        "on a base date), notified (now: the authority was notified)",
    )
    transfer_account: str = _setting(
        "",
        "premium/5.2",
        "the bank account that letters about unpaid fees name (bank, branch, kind, number, holder); empty: none",
    )
    store_refund: Literal["term_ends", "term_stays"] = _setting(
        "term_ends",
        "premium/5.1.2",
        "what a store's refund of a whole term means for its use: term_ends (on the day on which it is recorded), "
        "term_stays (to its end)",
    )
    demand_monthly: bool = _setting(
        True,
        "premium/5.2",
        "whether late interest is demanded on the first night of a month, not only at termination",
    )
    resolution_seconds: int = _setting(
        0,
        "premium/9.4.2",
        "the evidence's own resolution: shorter gaps join two outages; 0 for exact evidence",
        ge=0,
    )

    @field_validator("related_terms")
    @classmethod
    def _named_and_dated(cls, related: tuple[str, ...]) -> tuple[str, ...]:
        for written in related:
            name, _, version = written.partition("/")
            try:
                date.fromisoformat(version)
            except ValueError:
                raise ValueError(f"{written!r} has to be name/day in force from, such as base/2025-04-01") from None
            if not name.strip() or name == "premium":
                raise ValueError(f"{written!r} has to name terms other than premium")
        return related

    @field_validator("retry_after_days")
    @classmethod
    def _in_order(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if list(days) != sorted(set(days)):
            raise ValueError("the days of retries have to ascend, each once")
        return days
