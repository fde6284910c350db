"""The presets: how each bank names the columns of its CSV, and which of them a header is.

    preset_of(header)    the one whose needed columns are all there; of several the one that knows the most of them

Presets are data (presets.toml); the formats that are no tables (全銀 fixed, camt, MT940, OFX) are listed beside them.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

__all__ = ["FORMATS", "Format", "Places", "Preset", "folded_name", "formats", "places_of", "preset_of", "presets"]

_FILE = Path(__file__).with_name("presets.toml")
_ONE = ("in", "out", "amount", "balance", "id", "currency", "direction", "value", "uncleared", "cancelled", "record")
_MANY = ("day", "payer", "else_payer", "kind", "reference", "memo", "account")


@dataclass(frozen=True, slots=True)
class Format:
    """A format as people see it: its name for --preset, and what it is, in both languages."""

    name: str
    ja: str
    en: str
    shape: str  # of the file: csv, fixed, xml, swift, ofx

    def to_json(self) -> dict[str, str]:
        """As `bank formats --json` prints it."""
        return {"name": self.name, "ja": self.ja, "en": self.en, "shape": self.shape}


FORMATS: Final = (
    Format(
        "zengin", "全銀 入出金取引明細・振込入金通知(200バイト固定長)",
        "Zengin account activity and incoming transfers (200 bytes)", "fixed",
    ),
    Format("zengin_records", "全銀 同じレコード(列名のないCSV)", "Zengin, the same as CSV without names", "csv"),
    Format("mufg_bizstation_all", "三菱UFJ銀行 BizSTATION(全明細)", "MUFG Bank, BizSTATION (all details)", "csv"),
    Format("camt", "ISO 20022 camt.052・053・054", "ISO 20022 camt.052, camt.053, camt.054", "xml"),
    Format("mt940", "SWIFT MT940・MT942", "SWIFT MT940, MT942", "swift"),
    Format("ofx", "OFX・QFX(1.x、2.x)", "OFX, QFX (1.x, 2.x)", "ofx"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Preset:
    """How a bank writes its CSV: for each of our fields the names that its column may have."""

    name: str
    ja: str
    en: str
    bank: str
    days: str  # iso, zengin (YYMMDD is 令和), day_first (31-12-2026), month_first
    columns: Mapping[str, tuple[tuple[str, ...], ...]]  # ours -> per column of theirs its names, folded
    needed: frozenset[tuple[str, ...]]

    @property
    def format(self) -> Format:
        """As people see it."""
        return Format(self.name, self.ja, self.en, "csv")


Places = Mapping[str, tuple[int, ...]]
"""Of each of our fields the places of its columns in a header."""


@cache
def folded_name(name: str) -> str:
    """A column's name as it is compared."""
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())


@cache
def presets() -> Mapping[str, Preset]:
    """Every preset of a bank's CSV, by its name."""
    with _FILE.open("rb") as file:
        return {name: _read(name, values) for name, values in tomllib.load(file).items()}


def formats() -> tuple[Format, ...]:
    """Everything that `bank import` reads without a mapping."""
    return (*(preset.format for preset in presets().values()), *FORMATS)


def places_of(preset: Preset, header: Sequence[str]) -> Places | None:
    """Where a preset's columns stand in a header; None if one that it needs lacks, or stands twice."""
    names = [folded_name(name) for name in header]
    places: dict[str, tuple[int, ...]] = {}
    for ours, columns in preset.columns.items():
        at = []
        for alternatives in columns:
            found = [place for place, name in enumerate(names) if name in alternatives]
            if len(found) == 1:
                at.append(found[0])
            elif found or alternatives in preset.needed:
                return None
        if at:
            places[ours] = tuple(at)
    return places


def preset_of(header: Sequence[str]) -> tuple[Preset, Places] | None:
    """The preset that knows the most columns of a header, of those that have all that they need."""
    best: tuple[int, Preset, Places] | None = None
    for preset in presets().values():
        places = places_of(preset, header)
        if places is not None:
            known = len({place for at in places.values() for place in at})
            if best is None or known > best[0]:
                best = (known, preset, places)
    return best[1:] if best else None


def _read(name: str, values: Mapping[str, Any]) -> Preset:
    columns: dict[str, tuple[tuple[str, ...], ...]] = {}
    needed = set()
    for ours in (*_ONE, *_MANY):
        written = values.get(ours, [])
        made = []
        for each in [written] if isinstance(written, str) else written:
            alternatives = tuple(folded_name(one.removesuffix("?")) for one in each.split("|"))
            made.append(alternatives)
            if "?" not in each:
                needed.add(alternatives)
        if made:
            columns[ours] = tuple(made)
    if unknown := set(values) - {*_ONE, *_MANY, "ja", "en", "bank", "days"}:
        raise ValueError(f"presets.toml: {name}: {', '.join(sorted(unknown))}")
    bank, days = str(values.get("bank", "")), str(values.get("days", "iso"))
    return Preset(name, str(values["ja"]), str(values["en"]), bank, days, columns, frozenset(needed))
