"""`keizoku gateway`: whose key is used at Stripe, what it may do, and what database it belongs to."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from keizoku.scheduler.cli.shared.context import open_services, services_now, settings_of_this_process
from keizoku.scheduler.cli.shared.inputs import AsJson
from keizoku.scheduler.cli.shared.language import both, japanese, language
from keizoku.scheduler.cli.shared.output import UserError, emit, errors, note

if TYPE_CHECKING:
    from keizoku.billing.gateway.stripe_calls import StripeCalls
    from keizoku.scheduler.app import Services

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback(help=both("The card gateway: the rights of its key, its account.", "決済代行: キーの権限とアカウント。"))
def _gateway() -> None:
    """The card gateway: the rights of its key, its account."""


@app.command(
    help=japanese(
        "Stripeのキーを調べます: 必要な権限を一つずつ試し、アカウント、モード、APIの版、時計の差を示します。\n\n"
        "何も作らず、何も変えません。足りない権限があれば終了コード 1。"
    )
)
def check(as_json: AsJson = False) -> None:
    """Look at the key for Stripe: each right that is needed is tried, with account, mode, version and clock.

    Nothing is made and nothing changed. Exit 1 where a right is missing.
    """
    from keizoku.billing.gateway.binding import bound
    from keizoku.billing.gateway.stripe_check import check as check_key

    with open_services() as services:
        held = bound(services.session)
        services.session.rollback()
        found = check_key(_calls(services), datetime.now(UTC))
    told = found.to_json(language())
    bound_to = None if held is None else {"account": held.account, "mode": "live" if held.livemode else "test"}
    fits = held is None or found.identity is None or held.fits(found.identity)
    if as_json:
        emit({**told, "bound_to": bound_to, "fits": fits}, as_json=True)
    else:
        emit(
            {
                "account": told["account"],
                "mode": told["mode"],
                "bound to": "nothing yet" if held is None else str(held),
                "version": told["version"],
                "seconds ahead of Stripe": told["clock_ahead_seconds"],
            },
            as_json=False,
        )
        rows = [
            {
                "right": each.right.name,
                "kind": each.right.kind,
                "state": each.state,
                "needed for": each.right.needed_for[language() == "ja"],
            }
            for each in found.rights
        ]
        emit(rows, as_json=False)
    if not fits:
        errors.print(f"the key is of {found.identity}, this database belongs to {held}", markup=False, soft_wrap=True)
    if not (found.ok and fits):
        raise typer.Exit(1)


@app.command(
    help=japanese(
        "このデータベースを、今のキーのアカウントとモードに結び直します。\n\n"
        "以前のアカウントの顧客とカードは、新しいアカウントでは使えません。"
    )
)
def rebind(
    by: Annotated[str, typer.Option("--by", help=both("Who decided it.", "決めた人。"))],
    ground: Annotated[str, typer.Option("--ground", help=both("Why.", "理由。"))],
    as_json: AsJson = False,
) -> None:
    """Bind this database to the account and mode of the present key.

    Customers and cards that were saved at the account of before are not known at the new one.
    """
    from keizoku.billing.gateway.binding import rebind as bind_anew
    from keizoku.db.roles import want_to_add
    from keizoku.db.tables.gateway import gateway_binding

    with services_now() as (services, now):
        want_to_add(services.session, gateway_binding)
        found = _calls(services).whose()
        before = bind_anew(services.session, found, by, ground, now)
    emit({"bound_to": str(found), "before": None if before is None else str(before)}, as_json)


@app.command(
    help=japanese(
        "テストモードのアカウントで一通り試します: カード登録(3-Dセキュア)、決済、拒否、返金、異議申立て、入金。\n\n"
        "Stripeが公開しているテスト用のカードを使い、期待と結果を並べます。本番キーは断ります。"
        "違いがあれば終了コード 1。"
    )
)
def rehearse(as_json: AsJson = False) -> None:
    """Walk through a test-mode account: save a card (3-D Secure), charge, decline, refund, dispute, payout.

    With the payment methods that Stripe documents for tests; what was expected stands beside what came. A live key is
    refused. Exit 1 where something differs. It needs no database.
    """
    from dataclasses import asdict

    from keizoku.billing.gateway.stripe_rehearsal import rehearse as walk
    from keizoku.scheduler.app import stripe_calls_of
    from keizoku.scheduler.settings import SettingsError

    settings = settings_of_this_process()
    if settings.gateway != "stripe":
        raise _not_stripe()
    try:
        calls = stripe_calls_of(settings)
    except SettingsError as error:
        raise UserError(str(error)) from error
    steps = []
    for each in walk(calls, datetime.now(UTC)):
        steps.append(asdict(each))
        if not as_json:
            note(f"{each.name}: {'as expected' if each.ok else each.found}")
    emit(steps, as_json)
    if any(each["ok"] is False for each in steps):
        raise typer.Exit(1)


def _not_stripe() -> Exception:
    from keizoku.terms.refusal import Refused

    return Refused("gateway.not_stripe", "the gateway in use is not Stripe", "set KEIZOKU_GATEWAY=stripe and its key")


def _calls(services: Services) -> StripeCalls:
    calls: StripeCalls | None = getattr(services.gateway, "calls", None)
    if calls is None:
        raise _not_stripe()
    return calls
