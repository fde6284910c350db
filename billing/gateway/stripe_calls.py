"""One call to Stripe: paced, retried where nothing can have happened twice, its outcome as a value.

Connection errors, 409 and 5xx are retried by the client library under the same idempotency key; 429 it does not
retry, so that is done here, after the time that the answer asks for. What stays without a definite answer is
`UnansweredError`; what is wrong with our own account at Stripe is `GatewayRefusesUsError`.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import stripe

from keizoku.billing.gateway.limiter import Pace, awake_or_not
from keizoku.billing.gateway.port import GatewayRefusesUsError, UnansweredError

Result = TypeVar("Result")

KEY = "keizoku_key"
"""Where our key stands in the metadata of what we make there."""
INVOICE = "keizoku_invoice"
ACCOUNT = "keizoku_account"
"""Our own id of an account, as it stands at a customer, a card being saved and a charge; nothing personal."""
PAGE = 100
API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that every call names: ours, whichever client is installed. What a newer one changes is
looked at first (test_stripe_version.py says where); raising it is a line of the changelog."""
TIMEOUT_SECONDS = 30.0
PER_SECOND = 80.0
LIBRARY_RETRIES = 2
BUSY_RETRIES = 5
LONGEST_WAIT_SECONDS = 60.0


class _Dated(stripe.RequestsClient):
    """The library's own client, which keeps the Date of the last answer."""

    answered: tuple[datetime, float] | None = None  # what it said, and when by our steady clock

    def request(  # type: ignore[override]  # the library's clients differ among themselves
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        answer: tuple[bytes, int, Mapping[str, str]] = super().request(method, url, headers, post_data)
        with suppress(TypeError, ValueError):  # without a Date, or with none that can be read
            said = parsedate_to_datetime(answer[2].get("Date", ""))
            if said.tzinfo is not None:
                self.answered = said, awake_or_not()
        return answer


@dataclass(frozen=True, slots=True)
class StripeCalls:
    """A client of one Stripe account, its pace, and how long it waits."""

    client: stripe.StripeClient
    pace: Pace
    sleep: Callable[[float], None] = field(default=time.sleep)
    refused: str | None = None  # why nothing may be asked: every call raises GatewayRefusesUsError
    http: _Dated | None = None

    @classmethod
    def to(
        cls,
        secret_key: str,
        *,
        api_base: str | None = None,
        per_second: float = PER_SECOND,
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: int = LIBRARY_RETRIES,
        refused: str | None = None,
    ) -> "StripeCalls":
        """Calls to Stripe itself, or to a server that speaks like it at `api_base` (for tests)."""
        stripe.enable_telemetry = False
        http = _Dated(timeout=timeout_seconds)
        client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base} if api_base else None,
            http_client=http,
            stripe_version=API_VERSION,
            max_network_retries=retries,
        )
        return cls(client, Pace(per_second), http=http, refused=refused)

    def server_now(self) -> datetime | None:
        """The clock of who answered last, moved on since; None: nobody has answered yet."""
        answered = None if self.http is None else self.http.answered
        return None if answered is None else answered[0] + timedelta(seconds=awake_or_not() - answered[1])

    def call(self, ask: Callable[[stripe.StripeClient], Result]) -> Result:
        """Ask once it is our turn, again while Stripe is busy.

        Raises UnansweredError, GatewayRefusesUsError, and for a definite refusal the library's CardError or
        InvalidRequestError.
        """
        if self.refused is not None:
            raise GatewayRefusesUsError(self.refused)
        for busy in range(BUSY_RETRIES + 1):
            self.pace.wait()
            try:
                return ask(self.client)
            except stripe.RateLimitError as error:
                if busy == BUSY_RETRIES:
                    raise UnansweredError("too many requests") from error
                self.pace.hold(_seconds_asked(error, busy))
            except (stripe.AuthenticationError, stripe.PermissionError) as error:
                raise GatewayRefusesUsError(
                    f"Stripe refuses the key of KEIZOKU_STRIPE_SECRET_KEY ({error.http_status}): nothing was charged; "
                    "check the key and its rights"
                ) from error
            except stripe.IdempotencyError as error:
                raise UnansweredError("the key was used with other parameters") from error
            except stripe.CardError:
                raise
            except stripe.InvalidRequestError as error:
                if error.http_status == 409:
                    raise UnansweredError("another request with this key is under way") from error
                raise
            except stripe.StripeError as error:  # connection lost, timed out, 409, 5xx
                raise UnansweredError(type(error).__name__) from error
        raise AssertionError("the last turn returns or raises")


def _seconds_asked(error: stripe.RateLimitError, busy: int) -> float:
    """What Retry-After says; without it 1, 2, 4 … seconds."""
    asked = (error.headers or {}).get("retry-after") or (error.headers or {}).get("Retry-After")
    try:
        seconds = float(asked) if asked is not None else 2.0**busy
    except ValueError:
        seconds = 2.0**busy
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def plain(value: object) -> dict[str, Any]:
    """An object of the library, or nothing, as a plain dictionary."""
    if isinstance(value, stripe.StripeObject):
        return dict(value.to_dict())
    return dict(value) if isinstance(value, dict) else {}
