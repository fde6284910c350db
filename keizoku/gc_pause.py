"""Python's collector of cycles, held off while many facts are worked on: claims of a night, lines of a bank's file.

Facts and decisions are trees of small values: they go when nobody holds them any more, and there is no cycle among
them to be found. Looking for one again and again among some 100,000 of them took two fifths of the time.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """No collection inside; afterwards as it was before, also after an error."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


def collect_young() -> int:
    """Look through what came since the last time, inside a pause: statements that are built anew hold on to themselves.

    Where few of the facts are alive this takes milliseconds. How many objects went.
    """
    return gc.collect(1)
