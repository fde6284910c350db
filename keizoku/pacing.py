"""How fast a card gateway or a partner may be asked: an even pace that all threads share, overall and by endpoint.

    rate 80/s, burst 1:  |·|·|·|·|   a call waits for its turn; a refusal ("too many requests") moves every turn

Always holds: no second has more calls than the rate. Turns are even, but a thread may wake late from its wait, and the
next ones then come right behind it; so a turn is also never sooner than a window after the call that stands a
window's worth of calls before it, by the time at which that one really went.

What is set is the most that is tried; a refusal that says what was too much ("endpoint-rate", "global-rate") sets the
pace of that one to what got through in the last second, and it is tried a little faster again from time to time:

    set 100/s, the account's limit is 25/s:   100 ─429─> 60 ─429─> 36 ─429─> 25 ─5 s─> 25.3 ─429─> 25 …

The pace is the machine's, not the contract's: seconds here are the process's own clock.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

TRY_AFTER_SECONDS, RARELY_SECONDS = 5.0, 60.0
A_LITTLE, MOST_FASTER = 0.01, 0.08
"""By how much a pace is changed near its limit; while nothing is refused, each try is twice as bold as the last."""
SLOWER = 0.6
NEARLY = 0.96
REFUSALS_ARE_ONE_SECONDS = 0.2
REMEMBERED_SECONDS = 3.0
SLACK_SECONDS = 0.01
"""By so much calls are late unevenly on their way: kept between two windows once the limit has been met."""


class Pace:
    """Turns at an even rate, handed out in order of asking."""

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if per_second <= 0:
            raise ValueError(f"A pace has to be positive, not {per_second} a second.")
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_turn = 0.0
        self._most = per_second
        self._went: deque[_Turn] = deque()
        self._set(per_second)
        self._passed: deque[float] = deque()
        self._best: deque[tuple[float, int]] = deque()
        self._changed_at = clock()
        self._refused_at = float("-inf")
        self._step = A_LITTLE
        self._slack = 0.0
        self._before = per_second
        self._try_after = TRY_AFTER_SECONDS

    def _set(self, per_second: float) -> None:
        self.per_second = per_second
        self._interval = 1 / per_second
        in_window = max(1, int(per_second))
        self._window = in_window * self._interval
        self._went = deque(self._went, maxlen=in_window)

    def wait(self) -> None:
        """Return when it is this call's turn."""
        turn = self._take()
        now = self._clock()
        if turn.at > now:
            self._sleep(turn.at - now)
            turn.at = max(turn.at, self._clock())

    def take(self) -> float:
        """The instant of the next turn, for who waits by itself."""
        return self._take().at

    def _take(self) -> "_Turn":
        with self._lock:
            now = self._clock()
            turn = _Turn(max(self._next_turn, now))
            self._next_turn = turn.at + self._interval
            if len(self._went) == self._went.maxlen:
                turn.at = max(turn.at, self._went[0].at + self._window + self._slack)
            self._went.append(turn)
        return turn

    def passed(self) -> None:
        """A call got through: after a while without a refusal a slowed pace is tried a little faster."""
        with self._lock:
            now = self._clock()
            self._passed.append(now)
            while self._passed[0] <= now - 1:
                self._passed.popleft()
            self._best.append((now, len(self._passed)))
            while self._best[0][0] <= now - REMEMBERED_SECONDS:
                self._best.popleft()
            quiet_since = max(self._changed_at, self._refused_at)
            if self.per_second < self._most and now - quiet_since >= self._try_after:
                self._before = self.per_second
                self._set(min(self._most, self.per_second * (1 + self._step)))
                self._step = min(2 * self._step, MOST_FASTER)
                self._changed_at = now

    def refused(self) -> None:
        """It was too fast: where much less got through in the last second, that is what is allowed."""
        with self._lock:
            now = self._clock()
            if now - self._refused_at < REFUSALS_ARE_ONE_SECONDS:
                return  # the same excess, told to several calls that were under way
            self._refused_at, self._step = now, A_LITTLE
            # the best second of the last few: a second in which this machine stood still says nothing of the limit
            through = max((count for at, count in self._best if at > now - REMEMBERED_SECONDS), default=0)
            if through >= NEARLY * self.per_second:
                # the pace is right, and a call came a little early; or it was tried a little faster, in vain
                self._slack = SLACK_SECONDS
                if self._before < self.per_second:
                    self._set(self._before)
                    self._try_after = min(2 * self._try_after, RARELY_SECONDS)
                return
            # before a whole second at this pace what got through says little; after it, it may be one short
            long_enough = now - self._changed_at >= 1
            self._before = max(1.0, through if long_enough else max(through, self.per_second * SLOWER))
            self._set(min(self.per_second, self._before + 1) if long_enough else self._before)
            self._changed_at, self._try_after = now, TRY_AFTER_SECONDS

    def hold(self, seconds: float) -> None:
        """The gateway asked everybody to wait: no turn before that."""
        with self._lock:
            self._next_turn = max(self._next_turn, self._clock() + seconds)


class Paces:
    """The pace over all calls, and one for each endpoint: a call waits for its turn in both.

    `reason` is the gateway's word for a refusal; one that is about a single object slows nobody else.
    """

    def __init__(self, overall: Pace, on_endpoint: Callable[[], Pace]) -> None:
        self.overall = overall
        self._new = on_endpoint
        self._endpoints: dict[str, Pace] = {}
        self._lock = threading.Lock()

    def of(self, endpoint: str) -> Pace:
        """The pace of an endpoint."""
        with self._lock:
            found = self._endpoints.get(endpoint)
            if found is None:
                found = self._endpoints[endpoint] = self._new()
            return found

    def wait(self, endpoint: str) -> None:
        """Return when it is this call's turn, on its endpoint and over all."""
        self.of(endpoint).wait()
        self.overall.wait()

    def passed(self, endpoint: str) -> None:
        """A call got through."""
        self.of(endpoint).passed()
        self.overall.passed()

    def refused(self, endpoint: str, reason: str) -> None:
        """A call was too many, for this reason."""
        if reason.startswith("endpoint"):
            self.of(endpoint).refused()
        elif reason.startswith("global"):
            self.overall.refused()


class _Turn:
    """When a call is to go, and then when it went."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


def awake_or_not() -> float:
    """Seconds on a clock that goes on while the process stands still and, where the system has one, the machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
