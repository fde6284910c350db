"""Inside a pause nothing looks for cycles, and what has piled up goes when it is asked for."""

import gc
import weakref

from keizoku.gc_pause import collect_young, gc_paused


class Knot:
    """Something that holds on to itself."""

    def __init__(self) -> None:
        self.own = self


def test_cycles_stay_during_a_pause_until_they_are_collected() -> None:
    with gc_paused():
        assert not gc.isenabled()
        kept = weakref.ref(Knot())
        assert kept() is not None
        assert collect_young() > 0
        assert kept() is None
    assert gc.isenabled()
