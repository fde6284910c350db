"""To whom a document goes by name: what the host's directory says of an account at the moment of printing.

Personal: it is shown on the document, sealed where a document is stored, and nowhere else; it never shows itself in a
log or an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

LONGEST: Final = 200
MOST_LINES: Final = 8


@dataclass(frozen=True, slots=True)
class Addressee:
    """A name, the postal address a line each (with its postal code), and the mail address; all but the name optional.

    ValueError, which does not quote it, for what cannot stand on a document.
    """

    name: str = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)
    mail: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        said = (self.name, *self.lines, *([self.mail] if self.mail is not None else []))
        if not all(isinstance(each, str) for each in said):
            raise ValueError("name, address lines and mail address have to be texts")
        if not self.name.strip():
            raise ValueError("the name is empty")
        if any(len(each) > LONGEST or not each.isprintable() for each in said) or len(self.lines) > MOST_LINES:
            raise ValueError(
                f"a text is too long or has control characters: at most {MOST_LINES} lines of {LONGEST} letters"
            )

    def to_json(self) -> dict[str, Any]:
        """For sealing: JSON values, without the mail address, which stands on no document."""
        return {"name": self.name, "lines": list(self.lines)}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Addressee:
        """What was sealed."""
        return cls(str(found["name"]), tuple(str(each) for each in found["lines"]))


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why what a directory says of an account cannot stand on a document; one line, without anything personal."""

    why: str


class Directory(Protocol):
    """The host's knowledge of its users, asked when documents are printed; nothing of its answer is kept in clear."""

    def addressees(self, accounts: Sequence[str]) -> Mapping[str, Addressee | Unfit]:
        """Those of these accounts that it knows. Whatever it raises means that it cannot be asked now."""
        ...
