"""What is passed down to everything that decides: the terms and the operator's discretion."""

from __future__ import annotations

from dataclasses import dataclass, field

from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms


@dataclass(frozen=True, slots=True)
class Rules:
    """The contract with its readings, and the settings where it leaves room."""

    terms: Terms
    discretion: Discretion = field(default_factory=Discretion)
