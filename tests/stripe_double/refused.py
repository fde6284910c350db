"""Errors as Stripe words them: status, type, code, and what stands beside them."""

from __future__ import annotations

from typing import Any


class StripeRefusesError(Exception):
    """A call that ends in an error; `body` is what stands in `error`."""

    def __init__(self, status: int, kind: str, message: str, *, headers: dict[str, str] | None = None, **more: Any):
        super().__init__(message)
        self.status, self.headers = status, headers or {}
        self.body: dict[str, Any] = {"type": kind, "message": message}
        self.body |= {name: value for name, value in more.items() if value is not None}
        if "code" in self.body:
            self.body["doc_url"] = f"https://stripe.com/docs/error-codes/{self.body['code'].replace('_', '-')}"


def invalid(message: str, code: str | None = None, param: str | None = None, status: int = 400) -> StripeRefusesError:
    """400 `invalid_request_error`."""
    return StripeRefusesError(status, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, asked: str, param: str, *, in_path: bool, elsewhere: str | None = None) -> StripeRefusesError:
    """`resource_missing`: 404 where the id stands in the path, 400 where it is a parameter."""
    message = f"No such {kind.replace('_', ' ') if kind == 'balance_transaction' else kind}: '{asked}'"
    if kind == "payment_method":
        message = f"No such PaymentMethod: '{asked}'"
    if elsewhere is not None:
        other = "live" if elsewhere == "test" else "test"
        message += (
            f"; a similar object exists in {elsewhere} mode, but a {other} mode key was used to make this request."
        )
    return invalid(message, "resource_missing", param, 404 if in_path else 400)


def no_such_address(method: str, path: str) -> StripeRefusesError:
    """404 of a path that no service has."""
    return invalid(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
    )


def wrong_state(kind: str, status: str, act: str, allowed: str, **more: Any) -> StripeRefusesError:
    """An act that an intent's state does not allow."""
    name = {"payment_intent": "PaymentIntent", "setup_intent": "SetupIntent"}[kind]
    return StripeRefusesError(
        400,
        "invalid_request_error",
        f"You cannot {act} this {name} because it has a status of {status}. Only a {name} with one of the following "
        f"statuses may be {act}ed: {allowed}." if act != "cancel" else
        f"You cannot cancel this {name} because it has a status of {status}. Only a {name} with one of the following "
        f"statuses may be canceled: {allowed}.",
        code=f"{kind}_unexpected_state",
        **more,
    )  # fmt: skip


def too_many(reason: str) -> StripeRefusesError:
    """429 with the reason that Stripe names.

    global-rate, endpoint-rate, global-concurrency, endpoint-concurrency, resource-specific.
    """
    return StripeRefusesError(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. Learn more about rate limits here: https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        headers={"Stripe-Rate-Limited-Reason": reason},
    )


def locked() -> StripeRefusesError:
    """429 `lock_timeout`: another call is at work on the same object."""
    return StripeRefusesError(
        429,
        "invalid_request_error",
        "This object cannot be accessed right now because another API request or Stripe process is currently accessing "
        "it. If you see this error intermittently, retry the request. If you see this error frequently and are making "
        "multiple concurrent requests to a single object, make your requests serially or at a lower rate. For more "
        "details, see https://stripe.com/docs/rate-limits#object-lock-timeouts.",
        code="lock_timeout",  # and no Stripe-Rate-Limited-Reason: it is no limit
    )


def no_key(key: str | None) -> StripeRefusesError:
    """401: no key, a publishable one, or one that nobody was given."""
    if not key:
        message = "You did not provide an API key. You need to provide your API key in the Authorization header."
    elif key.startswith("pk_"):
        return StripeRefusesError(
            401,
            "invalid_request_error",
            "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list "
            "of your API keys at https://dashboard.stripe.com/account/apikeys.",
            code="secret_key_required",
        )
    else:
        message = f"Invalid API Key provided: {_hidden(key)}"
    return StripeRefusesError(401, "invalid_request_error", message)


def no_right(key: str, account: str, right: str) -> StripeRefusesError:
    """403 of a restricted key."""
    return StripeRefusesError(
        403,
        "invalid_request_error",
        f"The provided key '{_hidden(key)}' does not have the required permissions for this endpoint on account "
        f"'{account}'. Having the '{right}' permission would allow this request to continue.",
    )


def _hidden(key: str) -> str:
    start = "_".join(key.split("_")[:2])
    return f"{start}_{'*' * max(len(key) - len(start) - 5, 0)}{key[-4:]}"


def key_reused(key: str) -> StripeRefusesError:
    """400 of an idempotency key that came with other parameters before."""
    return StripeRefusesError(
        400,
        "idempotency_error",
        "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a "
        f"key other than '{key}' if you meant to execute a different request.",
    )


def key_in_use(key: str) -> StripeRefusesError:
    """409 of an idempotency key whose first request is still under way."""
    return StripeRefusesError(
        409,
        "idempotency_error",
        "There is currently another in-progress request using this Idempotent Key (that probably means you submitted "
        f"twice, and the other request is still going through): {key}. Please try again later.",
        code="idempotency_key_in_use",
    )


def no_answer() -> StripeRefusesError:
    """500: something went wrong on Stripe's end."""
    return StripeRefusesError(
        500,
        "api_error",
        "An unknown error occurred",
        headers={"Stripe-Should-Retry": "false"},
    )
