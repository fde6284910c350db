"""Nights killed at random moments, each kind of kill in its turn: what was done, and what came of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from keizoku.db.embedded import EmbeddedServer
from tests.worlds.disturbed_nights import FAST, Simulated, Stripe
from tests.worlds.stripe_proxy import Proxy

KINDS = (
    "process",  # kill -9 of the night
    "server",  # kill -9 of PostgreSQL's first process
    "stopped",  # SIGSTOP of the worker; it goes on when another has led and finished
    "call",  # kill -9 inside a call to Stripe: it goes through or not, nobody reads the answer
    "process",
    "backend",  # kill -9 of the process of PostgreSQL that serves the night
    "cut",  # every connection of the worker is cut; it comes back by itself
    "process",
    "stopped_call",  # SIGSTOP inside a call to Stripe
    "process",
)


@dataclass
class Damage:
    """What was done, and what came of it."""

    kinds: Counter[str] = field(default_factory=Counter)
    said: Counter[str] = field(default_factory=Counter)  # kind and what the disturbed worker said of its night
    differences: list[str] = field(default_factory=list)  # tables that differ, by kill
    statements: int = 0  # of an undisturbed night
    calls: int = 0  # to Stripe, of an undisturbed night


def random_kills(
    folder: Path, proxy: Proxy, seed: int, kills: int, told: Callable[[str], None] = lambda _: None
) -> Damage:
    """So many kills, each kind in its turn, at moments drawn by `seed`; what differed at the end, if anything."""
    dice = random.Random(seed)  # noqa: S311  a test's dice
    damage = Damage()
    with EmbeddedServer(folder, FAST) as server:
        worlds = {"": Simulated(server), "call": Stripe(server, proxy)}
        for each in worlds.values():
            each.prepare()
        damage.statements, damage.calls = worlds[""].moments, worlds["call"].moments
        for number in range(kills):
            kind = KINDS[number % len(KINDS)]
            world = worlds["call" if kind.endswith("call") else ""]
            moment = dice.randint(1, world.moments)
            said, wrong = world.disturbed(kind, moment)
            damage.kinds[kind] += 1
            damage.said[f"{kind}: {said}"] += 1
            damage.differences += [f"{kind} at {moment} of {world.moments}: {table}" for table in wrong]
            told(kind)
    return damage
