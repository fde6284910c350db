"""One expectation → what the engine shows there, and whether the two agree.

    expected  {state: suspended}          only the stated keys count;
    actual    {state: active, access: …}  a list counts whole and in order, item by item

Decides nothing: views come from billing and sla, this only compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keizoku.billing.accounts import account_views
from keizoku.billing.documents.written_documents import documents_view
from keizoku.scheduler.scenario.link_play import link_view, orders_view, tasks_view
from keizoku.scheduler.scenario.outcome import Failure, plain
from keizoku.scheduler.scenario.schema_words import DOCUMENT_KINDS, NOTICE_KINDS, SUBJECTS
from keizoku.terms.calendar import from_epoch, jst_day, parse_instant

if TYPE_CHECKING:
    from keizoku.db.session import Session
    from keizoku.scheduler.app import Services
    from keizoku.scheduler.night.nightly_run import NightResult
    from keizoku.scheduler.scenario.document import Expectation
    from keizoku.terms.rules import Rules

_OF_ACCOUNT: Final = sa.text(
    "SELECT type, item ->> 1 AS subject, item ->> 2 AS at, recorded_at "
    "FROM event_batch, jsonb_array_elements(items) WITH ORDINALITY AS found (item, place) "
    "WHERE item ->> 0 = :account ORDER BY id, place"
)
NOTHING: Final = "(nothing)"  # shown where the engine states nothing under an expected key

Nights = Mapping[date, "NightResult"]


def failure_of(expectation: Expectation, services: Services, nights: Nights) -> Failure | None:
    """None if the expectation came true. Raises NotBuiltYetError, and what a view raises."""
    actual = _LOOKS[expectation.check](expectation, services, nights)
    if all(key in actual and agree(key, wanted, actual[key]) for key, wanted in expectation.expected.items()):
        return None
    subject = subject_of(expectation)
    return Failure(
        at=expectation.when,
        check=expectation.check,
        expected={**subject, **plain(expectation.expected)},
        actual={
            **subject,
            **{key: _stated_part(wanted, actual.get(key, NOTHING)) for key, wanted in expectation.expected.items()},
        },
    )


def subject_of(expectation: Expectation) -> dict[str, Any]:
    """What the check looks at, as in the file: {"account": "jiro"}."""
    key = SUBJECTS[expectation.check]
    return {key: plain(expectation.subject)} if key else {}


def agree(key: str, expected: object, actual: object) -> bool:
    """Whether the engine shows what was expected under one key."""
    return _AGREEMENTS.get(key, _equal)(expected, actual)


def _equal(expected: object, actual: object) -> bool:
    return bool(plain(expected) == plain(actual))


def _same_list(expected: Any, actual: Any) -> bool:
    return len(expected) == len(actual) and all(
        all(key in shown and agree(key, wanted, shown[key]) for key, wanted in item.items())
        for item, shown in zip(expected, actual, strict=True)
    )


def _same_outcome(expected: object, actual: object) -> bool:
    """An attempt that went well is `ok` or `succeeded`; one without an answer may be named as the card was set."""
    if actual == "unknown":
        return expected in ("unknown", "timeout_before", "timeout_after_success", "error_500")
    return _equal("succeeded" if expected == "ok" else expected, "succeeded" if actual == "ok" else actual)


def _same_rate(expected: Any, actual: Any) -> bool:
    """Rates are numbers: "0.2" is "0.20"; nothing awarded is a rate of 0."""
    return Fraction(expected or 0) == Fraction(actual or 0)


def _same_windows(expected: Any, actual: Any) -> bool:
    return [tuple(window) for window in expected or ()] == [
        (_instant(from_at), _instant(to_at)) for from_at, to_at in actual or ()
    ]


def _same_sums(expected: Any, actual: Any) -> bool:
    """A mapping by its stated keys; what is absent is 0."""
    return isinstance(expected, Mapping) and all((actual or {}).get(key, 0) == sum_ for key, sum_ in expected.items())


def _instant(moment: Any) -> datetime:
    return from_epoch(moment) if isinstance(moment, int) else parse_instant(moment)


_AGREEMENTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "list": _same_list,
    "outcome": _same_outcome,
    "rate": _same_rate,
    "windows": _same_windows,
    "waterfall": _same_sums,
    "balances": _same_sums,
    "exceptions": _same_sums,
}


def _stated_part(expected: object, actual: object) -> Any:
    """Of what the engine shows, the keys that the expectation states."""
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        return {key: plain(actual.get(key, NOTHING)) for key in expected}
    if isinstance(expected, Sequence) and expected and all(isinstance(item, Mapping) for item in expected):
        stated: Iterable[str] = dict.fromkeys(key for item in expected for key in item)
        return [{key: plain(item.get(key, NOTHING)) for key in stated} for item in _mappings(actual)]
    return plain(actual)


def _mappings(actual: object) -> list[Mapping[str, object]]:
    return [item for item in actual if isinstance(item, Mapping)] if isinstance(actual, list | tuple) else []


def _journal(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    return account_views.journal_view(services.session, tuple(expectation.expected.get("balances") or ()))


def _night(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    result = nights.get(expectation.subject)
    if result is None:
        return {"changes": "no night of this date has run", "certificate": "no night of this date has run"}
    return {"changes": result.changes, "certificate": result.certificate}


def _close(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    from keizoku.billing.closing.month_close import close_view

    return close_view(services.session, services.gateway, expectation.subject, expectation.at)


def _claim(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    from keizoku.sla.claims.claim_views import claim_status

    return claim_status(services.session, expectation.subject, expectation.at).to_json()


def _month(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    from keizoku.sla.claims.claim_views import month_view

    return month_view(services.session, services.rules, expectation.subject, expectation.at).to_json()


def _notices(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    """Only the kinds that the format knows: files that expect a list whole stay right when a kind is added."""
    shown = account_views.notices_view(services.session, expectation.subject)
    return {"list": [each for each in shown if each["kind"] in NOTICE_KINDS]}


def _documents(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    shown = documents_view(services.session, expectation.subject)
    return {"list": [each for each in shown if each["kind"] in DOCUMENT_KINDS]}


def _events(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
    """What the log of events has of an account, in its order."""
    rows = services.session.execute(_OF_ACCOUNT, {"account": expectation.subject})
    return {
        "list": [
            {
                "on": jst_day(row.recorded_at if row.at is None else parse_instant(row.at)),
                "type": row.type,
                "subject": row.subject,
            }
            for row in rows
        ]
    }


def _now(view: Callable[[Session, str], Any]) -> Look:
    """A view of an account at the present."""

    def look(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
        shown = view(services.session, expectation.subject)
        return shown if isinstance(shown, Mapping) else {"list": shown}

    return look


def _then(view: Callable[[Session, Rules, Any, datetime], Mapping[str, Any]]) -> Look:
    """A view of an account, claim or month that depends on the instant."""

    def look(expectation: Expectation, services: Services, nights: Nights) -> Mapping[str, Any]:
        return view(services.session, services.rules, expectation.subject, expectation.at)

    return look


Look = Callable[["Expectation", "Services", Nights], Mapping[str, Any]]
_LOOKS: Final[Mapping[str, Look]] = {
    "contract": _then(account_views.contract_view),
    "invoices": _now(account_views.invoices_view),
    "attempts": _now(account_views.attempts_view),
    "charges": _now(account_views.charges_view),
    "owed": _then(account_views.owed_view),
    "demands": _now(account_views.demands_view),
    "notices": _notices,
    "documents": _documents,
    "events": _events,
    "claim": _claim,
    "month": _month,
    "credit": _now(account_views.credit_view),
    "refunds": _now(account_views.refunds_view),
    "journal": _journal,
    "close": _close,
    "night": _night,
    "link": lambda expectation, services, _: link_view(services, str(expectation.subject), expectation.at),
    "link_orders": lambda expectation, services, _: orders_view(services, str(expectation.subject)),
    "link_tasks": lambda expectation, services, _: tasks_view(services, str(expectation.subject)),
}
