"""How fast a gateway may be asked: an even pace that all threads share.

    rate 80/s, burst 1:  |·|·|·|·|   a call waits for its turn; a refusal ("too many requests") moves every turn

The pace is the machine's, not the contract's: seconds here are the process's own clock.
"""

import threading
import time
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

    def wait(self) -> None:
        """Return when it is this call's turn."""
        with self._lock:
            now = self._clock()
            turn = max(self._next_turn, now)
            self._next_turn = turn + self._interval
        if turn > now:
            self._sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """The gateway asked everybody to wait: no turn before that."""
        with self._lock:
            self._next_turn = max(self._next_turn, self._clock() + seconds)
