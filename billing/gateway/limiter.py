"""How fast a gateway may be asked: an even pace that all threads share.

    rate 80/s, burst 1:  |·|·|·|·|   a call waits for its turn; a refusal ("too many requests") moves every turn

Always holds: no second has more calls than the rate. Turns are even, but a thread may wake late from its wait, and the
next ones then come right behind it; so a turn is also never sooner than a window after the call that stands a
window's worth of calls before it, by the time at which that one really went.

The pace is the machine's, not the contract's: seconds here are the process's own clock.
"""

import threading
import time
from collections import deque
from collections.abc import Callable


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
        self._interval = 1 / per_second
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next_turn = 0.0
        in_window = max(1, int(per_second))
        self._window = in_window * self._interval
        self._went: deque[_Turn] = deque(maxlen=in_window)

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            now = self._clock()
            turn = _Turn(max(self._next_turn, now))
            self._next_turn = turn.at + self._interval
            if len(self._went) == self._went.maxlen:
                turn.at = max(turn.at, self._went[0].at + self._window)
            self._went.append(turn)
        if turn.at > now:
            self._sleep(turn.at - now)
            turn.at = max(turn.at, self._clock())

    def hold(self, seconds: float) -> None:
        """The gateway asked everybody to wait: no turn before that."""
        with self._lock:
            self._next_turn = max(self._next_turn, self._clock() + seconds)


class _Turn:
    """When a call is to go, and then when it went."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


def awake_or_not() -> float:
    """Seconds on a clock that goes on while the process stands still and, where the system has one, the machine."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
