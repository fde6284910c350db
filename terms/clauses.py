"""Every clause of a contract: its id, what it says in our words, and who decides it.

Ids: "premium/9.2" article and paragraph, "premium/9.2.1" its item, "premium/5.1.1.a" the item's ア;
"premium/tax" and other words name what stands outside the articles. The gists are ours; the contract's
sentences are not carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from keizoku.terms.files import BadTermsError, one_line, read_versions

Status = Literal["computed", "by_people", "informational"]


class UnknownClauseError(LookupError):
    """No clause has this id."""

    def __init__(self, clause: str, nearest: tuple[str, ...]) -> None:
        self.nearest = nearest
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(f"no clause {clause!r}{hint}")


class Clause(BaseModel):
    """One clause: what it says in short, and whether the engine, people or nobody decides by it."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_min_length=1)

    id: str
    gist_ja: str
    gist_en: str
    status: Status
    why: str  # why the engine computes it, leaves it to people, or only lists it

    def gist(self, lang: Literal["ja", "en"]) -> str:
        """What it says, in one language."""
        return self.gist_ja if lang == "ja" else self.gist_en


def clauses(contract: str = "premium", version: str | None = None, folder: Path | None = None) -> Mapping[str, Clause]:
    """id -> clause in the contract's order, of one version (default: the newest). Raises BadTermsError."""
    versions = {files.version: files for files in read_versions(contract, folder)}
    if version is not None and version not in versions:
        raise BadTermsError(f"{contract} has no version {version!r}; it has {', '.join(versions)}")
    files = versions[version] if version is not None else list(versions.values())[-1]
    return read_clauses(files.contract, files.clauses, f"{files.version}.clauses.toml")


def read_clauses(contract: str, tables: Mapping[str, Any], source: str) -> dict[str, Clause]:
    """The clauses of a parsed TOML file, whose tables are named by id. Raises BadTermsError."""
    found: dict[str, Clause] = {}
    for clause_id, table in tables.items():
        if not clause_id.startswith(f"{contract}/"):
            raise BadTermsError(f"{source}: clause {clause_id!r} does not begin with {contract}/")
        try:
            found[clause_id] = Clause(id=clause_id, **table)
        except ValidationError as error:
            raise BadTermsError(f"{source}: clause {clause_id!r}: {one_line(error)}") from None
        except TypeError:
            raise BadTermsError(f"{source}: clause {clause_id!r}: write it as a table of texts") from None
    return found


def clause_named(known: Mapping[str, Clause], wanted: str) -> Clause:
    """The clause with this id; an only contract's name may be left out. Raises UnknownClauseError."""
    contracts = {clause_id.partition("/")[0] for clause_id in known}
    full = wanted if "/" in wanted or len(contracts) != 1 else f"{contracts.pop()}/{wanted}"
    if full in known:
        return known[full]
    by_number = {clause_id.partition("/")[2]: clause_id for clause_id in known}
    near = get_close_matches(full.rpartition("/")[2], by_number, n=3, cutoff=0.6)
    raise UnknownClauseError(wanted, tuple(by_number[number] for number in near))
