"""The offer: what an applicant is shown before registering, and what an approval then accepts.

An offer is computed from catalogue, terms and settings alone, so what a page showed can be computed again; its digest
is that of its content as canonical JSON. It says the six things that the last page before an application has to say
by the Act on Specified Commercial Transactions, Article 12-6. Facts in, texts out. Days are JST dates, amounts whole
yen, tax included.
"""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from keizoku.billing.rules.payment_method import APP_STORE, CARD, PREPAID
from keizoku.billing.rules.price_catalog import RenewalPrice
from keizoku.terms.calendar import MONTHS_OF, Interval
from keizoku.terms.money import fraction_text, tax_included_yen
from keizoku.terms.rendering import Lang, sentence


@dataclass(frozen=True, slots=True)
class Offer:
    """What is on offer to an account: a plan, how it is paid, what it costs, how long it runs and what ends it."""

    plan: str
    interval: Interval
    method: str
    months: int | None  # that a coupon or key pays for
    fallback: str | None  # the method after it
    price_yen: int  # of the first term
    tax_rate: Fraction
    renewals: tuple[RenewalPrice, ...]
    due_days: int  # from an invoice to its due date; 0: on the first day of the term
    ask_days_before: int  # a request to end use arrives so many days before the last day of the term
    valid_days: int  # 0: without limit
    term_rule: str
    versions: tuple[str, ...]  # terms/version that the applicant agrees to

    @property
    def tax_yen(self) -> int:
        """The consumption tax within the price."""
        return tax_included_yen(self.price_yen, self.tax_rate)

    @property
    def renews(self) -> bool:
        """Whether it goes on by itself after what is paid in advance, or term after term."""
        return self.method not in PREPAID or self.fallback is not None

    @property
    def first_year_yen(self) -> int:
        """The first twelve months at the prices as they stand: a first term and its renewals."""
        terms = 12 // MONTHS_OF[self.interval]
        renewal_yen = self.renewals[0].yen if self.renewals and self.renewals[0].from_on is None else self.price_yen
        return self.price_yen + (terms - 1) * renewal_yen

    def content(self) -> dict[str, Any]:
        """All that it says, as JSON values: what is kept, and what the digest is of."""
        return {
            "plan": self.plan,
            "interval": self.interval,
            "method": self.method,
            "months": self.months,
            "fallback": self.fallback,
            "price_yen": self.price_yen,
            "tax_rate": fraction_text(self.tax_rate),
            "tax_yen": self.tax_yen,
            "renews": self.renews,
            "renewals": [
                {"from": each.from_on.isoformat() if each.from_on else None, "yen": each.yen} for each in self.renewals
            ],
            "due_days": self.due_days,
            "ask_days_before": self.ask_days_before,
            "valid_days": self.valid_days,
            "term_rule": self.term_rule,
            "versions": list(self.versions),
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the content: sorted keys, no spaces, UTF-8."""
        written = json.dumps(self.content(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()


ITEMS = ("quantity", "price", "payment", "delivery", "period", "ending")
"""The six things of Article 12-6, in the order of the law."""


def offer_text(offer: Offer, lang: Lang) -> list[tuple[str, str]]:
    """(heading, text) of the six items, then of the terms that the applicant agrees to."""
    facts = {
        "plan": offer.plan,
        "months": offer.months,
        "price_yen": offer.price_yen,
        "tax_yen": offer.tax_yen,
        "tax_rate": fraction_text(offer.tax_rate),
        "first_year_yen": offer.first_year_yen,
        "due_days": offer.due_days,
        "ask_days_before": offer.ask_days_before,
        "valid_days": offer.valid_days,
        "versions": list(offer.versions),
    }

    def say(*keys: str) -> str:
        return ("" if lang == "ja" else " ").join(sentence(f"offer.{key}", lang, facts) for key in keys)

    renewals = ("" if lang == "ja" else " ").join(
        sentence(
            "offer.renewal_price.now" if each.from_on is None else "offer.renewal_price.later",
            lang,
            {"yen": each.yen, "renewal_yen": each.yen, "from_on": each.from_on.isoformat() if each.from_on else None},
        )
        for each in offer.renewals
    )
    prepaid = offer.method in PREPAID
    quantity = [f"quantity.{'prepaid' if prepaid else offer.interval}"]
    if prepaid:
        quantity.append("quantity.then_card" if offer.renews else "quantity.then_over")
    price = ["price.paid_by_code" if prepaid else "price.of_term"]
    if not prepaid:
        price.append("price.first_year")
    in_store = offer.method == APP_STORE
    ending = ["ending.in_store" if in_store else "ending.here"]
    if offer.renews and not in_store:
        ending.append("ending.last_day" if not offer.ask_days_before else "ending.days_before")
    texts = {
        "quantity": say(*quantity),
        "price": say(*price)
        + ("" if lang == "ja" or not (offer.renews and renewals) else " ")
        + (renewals if offer.renews else ""),
        "payment": say(f"payment.{offer.method}", *(["payment.then_card"] if offer.fallback == CARD else [])),
        "delivery": say("delivery.from_approval"),
        "period": say("period.days" if offer.valid_days else "period.none"),
        "ending": say(*ending, "ending.no_refund"),
        "terms": say("terms.versions"),
    }
    return [(sentence(f"offer.item.{item}", lang, {}), texts[item]) for item in (*ITEMS, "terms")]
