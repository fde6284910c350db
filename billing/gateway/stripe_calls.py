"""One call to Stripe: paced, retried where nothing can have happened twice, its outcome as a value.

Connection errors, 409 and 5xx are retried by the client library under the same idempotency key; 429 it does not
retry, so that is done here, after the time that the answer asks for. What stays without a definite answer is
`UnansweredError`; what is wrong with our own key or account is `GatewayRefusesUsError`: never a payer's decline.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

import stripe

from keizoku.billing.gateway.binding import Identity
from keizoku.billing.gateway.port import GatewayRefusesUsError, MissingRightError, ReplayedError, UnansweredError
from keizoku.pacing import Pace, Paces, awake_or_not

Result = TypeVar("Result")

LIVE_KEYS, TEST_KEYS = ("sk_live_", "rk_live_"), ("sk_test_", "rk_test_")
"""How Stripe's keys begin: those that move real money, and those that do not."""
SILENT_SECONDS = 10.0
TOO_MANY = 429
REASON = "Stripe-Rate-Limited-Reason"
"""The header by which a 429 says what was too much: global-rate, endpoint-rate, …-concurrency, resource-specific."""
LOCKED = "lock_timeout"
"""The code of a 429 because another call works on the same object."""
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
PER_ENDPOINT = 25.0
"""Stripe's own limit on an endpoint, unless it has raised it for the account."""
LIBRARY_RETRIES = 2
BUSY_RETRIES = 5
LONGEST_WAIT_SECONDS = 60.0
_RIGHT = re.compile(r"Having the '([a-z0-9_]+)' permission")
"""How Stripe names a right that a restricted key lacks."""
_ACCOUNT = re.compile(r"on account '(acct_[A-Za-z0-9]+)'")
_OTHER_MODE = "similar object exists in"
"""How Stripe says that an object is of the live mode and the key of the test mode, or the other way round."""
WRONG_MODE = (
    "the key of KEIZOKU_STRIPE_SECRET_KEY is of the other mode (live or test) than the customers of this database: "
    "nothing was charged; use the key of their mode"
)


class _Dated(stripe.RequestsClient):
    """The library's own client, which keeps the Date of the last answer."""

    answered: tuple[datetime, float] | None = None  # what it said, and when by our steady clock
    version: str | None = None  # of the API, as the last answer named it

    paces: Paces | None = None

    def request(  # type: ignore[override]  # the library's clients differ among themselves
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        endpoint = endpoint_of(method, url)
        if self.paces is not None:
            self.paces.wait(endpoint)
        answer: tuple[bytes, int, Mapping[str, str]] = super().request(method, url, headers, post_data)
        if self.paces is not None:
            if answer[1] == TOO_MANY:
                self.paces.refused(endpoint, answer[2].get(REASON, ""))
            else:
                self.paces.passed(endpoint)
        self.version = answer[2].get("Stripe-Version") or self.version
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
    live: bool | None = None  # the mode of the key, by its beginning; None: it does not say
    gate: "Gate | None" = None  # asked once, before the first call

    @classmethod
    def to(
        cls,
        secret_key: str,
        *,
        api_base: str | None = None,
        per_second: float = PER_SECOND,
        per_endpoint: float | None = None,
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
        overall = Pace(per_second)
        http.paces = Paces(overall, lambda: Pace(per_endpoint or per_second))
        return cls(client, overall, http=http, refused=refused, live=_mode_of(secret_key))

    def behind(self, check: Callable[[Identity], None]) -> "StripeCalls":
        """The same calls; before the first one `check` is told whose the key is, and may raise."""
        return replace(self, gate=Gate(self, check))

    @property
    def version(self) -> str | None:
        """The version of Stripe's API that answered last, as it says."""
        return None if self.http is None else self.http.version

    def check_account(self) -> None:
        """Ask whose the key is, if nobody has; raises UnansweredError, GatewayRefusesUsError."""
        if self.gate is not None:
            self.gate.pass_through()

    def whose(self) -> Identity:
        """The account and the mode of the key; raises UnansweredError, GatewayRefusesUsError.

        A key without the right to read its account is told the account's id in the refusal.
        """
        account: str | None = None
        try:
            account = self.ask_freely(lambda client: client.v1.accounts.retrieve_current()).id
        except MissingRightError as error:
            account = error.account
        except stripe.InvalidRequestError:
            account = None
        return Identity(account, self._mode())

    def _mode(self) -> bool:
        """Whether the key is live, by Stripe's own word, before anything is asked that changes something.

        A key that may not read the balance is of the mode that it begins with.
        """
        if self.http is None and self.live is not None:
            return self.live
        try:
            said = bool(self.ask_freely(lambda client: client.v1.balance.retrieve()).livemode)
        except MissingRightError:
            if self.live is None:
                raise
            return self.live
        if self.live is not None and said != self.live:
            raise GatewayRefusesUsError(WRONG_MODE)
        return said

    def _wait_after(self, error: stripe.RateLimitError, busy: int) -> None:
        """After a 429: by its reason its pace has been slowed; one object that is locked holds this call alone."""
        headers = error.headers or {}
        asked = headers.get("retry-after") or headers.get("Retry-After")
        reason = headers.get(REASON) or headers.get(REASON.lower()) or ""
        if error.code == LOCKED or reason.startswith("resource"):
            self.sleep(min(0.5 * 2.0**busy, LONGEST_WAIT_SECONDS))
        elif asked is not None or not reason:
            self.pace.hold(_seconds_asked(error, busy))
        elif busy:
            self.sleep(0.1 * 2.0**busy)

    def server_now(self) -> datetime | None:
        """The clock of who answered last, moved on since; None: nobody has answered yet."""
        answered = None if self.http is None else self.http.answered
        return None if answered is None else answered[0] + timedelta(seconds=awake_or_not() - answered[1])

    def call(self, ask: Callable[[stripe.StripeClient], Result]) -> Result:
        """Ask once it is our turn, again while Stripe is busy.

        Raises UnansweredError, GatewayRefusesUsError, and for a definite refusal the library's CardError or
        InvalidRequestError.
        """
        self.check_account()
        return self.ask_freely(ask)

    def ask_freely(self, ask: Callable[[stripe.StripeClient], Result]) -> Result:
        """The same, whoever's the key is: to find that out, and what it may do."""
        if self.refused is not None:
            raise GatewayRefusesUsError(self.refused)
        for busy in range(BUSY_RETRIES + 1):
            if self.http is None:  # otherwise each request waits for its own turn
                self.pace.wait()
            try:
                answer = ask(self.client)
                if self.live is not None and not _of_mode(answer, self.live):
                    raise GatewayRefusesUsError(WRONG_MODE)
                return answer
            except stripe.RateLimitError as error:
                if busy == BUSY_RETRIES:
                    raise UnansweredError("too many requests") from error
                self._wait_after(error, busy)
            except (stripe.AuthenticationError, stripe.PermissionError) as error:
                raise _refused(error) from error
            except stripe.IdempotencyError as error:
                raise UnansweredError("the key was used with other parameters") from error
            except stripe.CardError:
                raise
            except stripe.InvalidRequestError as error:
                if error.http_status == 409:
                    raise UnansweredError("another request with this key is under way") from error
                if _OTHER_MODE in (error.user_message or ""):
                    raise GatewayRefusesUsError(WRONG_MODE) from error
                raise
            except stripe.StripeError as error:  # connection lost, timed out, 409, 5xx
                if (error.headers or {}).get("idempotent-replayed", "").lower() == "true":
                    raise ReplayedError("a failure that is kept under this key") from error
                raise UnansweredError(type(error).__name__) from error
        raise AssertionError("the last turn returns or raises")


def endpoint_of(method: str, url: str) -> str:
    """The operation that a request asks for, as Stripe counts it: without the object's id.

    >>> endpoint_of("post", "https://api.stripe.com/v1/payment_intents/pi_1/cancel?x=1")
    'POST /v1/payment_intents/{id}/cancel'
    """
    parts = urlsplit(url).path.strip("/").split("/")
    if len(parts) > 2:
        parts[2] = "{id}"
    return f"{method.upper()} /{'/'.join(parts)}"


class Gate:
    """Whose the key is, asked before the first call of all threads; once it is open it costs nothing.

    Where no answer comes, the calls of the next seconds have none either, instead of waiting for it one by one.
    """

    def __init__(
        self, calls: StripeCalls, check: Callable[[Identity], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._calls, self._check, self._clock = calls, check, clock
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._silent_until = 0.0

    def pass_through(self) -> None:
        """Raises UnansweredError, and GatewayRefusesUsError for a key of another account or mode."""
        if self._open.is_set():
            return
        with self._lock:
            if self._open.is_set():
                return
            if self._clock() < self._silent_until:
                raise UnansweredError("Stripe did not say whose the key is")
            try:
                found = self._calls.whose()
            except UnansweredError:
                self._silent_until = self._clock() + SILENT_SECONDS
                raise
            self._check(found)
            self._open.set()


def _mode_of(secret_key: str) -> bool | None:
    if secret_key.startswith(LIVE_KEYS):
        return True
    return False if secret_key.startswith(TEST_KEYS) else None


def _of_mode(answer: Any, live: bool) -> bool:
    """Whether an answer, or each object of a page, is of this mode; what does not say is."""
    page = getattr(answer, "data", None)
    found = page if isinstance(page, list) else [answer]
    return all(getattr(each, "livemode", live) == live for each in found)


def _account_in(error: stripe.StripeError) -> str | None:
    named = _ACCOUNT.search(error.user_message or "")
    return None if named is None else named[1]


def _refused(error: stripe.StripeError) -> GatewayRefusesUsError:
    """Which of the key's rights is missing, where Stripe names it; else that the key itself is refused."""
    named = _RIGHT.search(error.user_message or "") if isinstance(error, stripe.PermissionError) else None
    if named is not None:
        return MissingRightError(
            f"the key of KEIZOKU_STRIPE_SECRET_KEY has no right {named[1]} (403): what needs it was not done; give it "
            "the right in Stripe's dashboard (keizoku gateway check names all)",
            named[1],
            _account_in(error),
        )
    return GatewayRefusesUsError(
        f"Stripe refuses the key of KEIZOKU_STRIPE_SECRET_KEY ({error.http_status}): nothing was charged; "
        "check the key and its rights"
    )


def _seconds_asked(error: stripe.RateLimitError, busy: int) -> float:
    """What Retry-After says; without it 1, 2, 4 … seconds."""
    asked = (error.headers or {}).get("retry-after") or (error.headers or {}).get("Retry-After")
    try:
        seconds = float(asked) if asked is not None else 2.0**busy
    except ValueError:
        seconds = 2.0**busy
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def is_nowhere(error: stripe.InvalidRequestError) -> bool:
    """Whether Stripe says that it knows no such object: asking again is of no use."""
    return error.code == "resource_missing"


def plain(value: object) -> dict[str, Any]:
    """An object of the library, or nothing, as a plain dictionary."""
    if isinstance(value, stripe.StripeObject):
        return dict(value.to_dict())
    return dict(value) if isinstance(value, dict) else {}
