"""Which reader a bank's file has: people's mapping where there is one, else what the file is by its own content.

    a mapping that names columns  ──> csv_statement          our own columns (date, amount, payer, …)  ──> csv_statement
    anything that a preset or a format knows               ──> billing/statements

A mapping without columns ([ignore], the account) goes with whatever format the file has. Where the file names no
account, it is that of the bank whose columns these are, by whichever way the file is read.
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

from keizoku.billing.receivables.bank.csv_statement import read_bank_csv
from keizoku.billing.receivables.csv_layout import Layout
from keizoku.billing.rules.bank.packed_lines import packed
from keizoku.billing.rules.bank.statement import StatementFile, StatementLine, file_digest
from keizoku.billing.statements.presets import formats
from keizoku.billing.statements.recognise import read_statements, recognised
from keizoku.billing.statements.values import folded
from keizoku.terms.decision import Finding
from keizoku.terms.inputs.input_files import read_whole
from keizoku.terms.refusal import Refused

__all__ = ["read_bank_file"]

OURS = "ours"


def read_bank_file(
    path: Path, layout: Layout, today: date, account: str = "", preset: str = "", ours: Collection[str] = ()
) -> tuple[StatementFile, str]:
    """The statements in a bank's file, and the name of the format as which it was read.

    `ours`: our accounts; a statement of another one is a finding, and none of its lines is taken. Empty: any is ours.

    Refused for a preset that there is not, or one beside a mapping of columns. Raises OSError if the file cannot be
    opened.
    """
    known = {each.name for each in formats()}
    if preset and preset not in known:
        raise Refused("preset.unknown", f"no preset {preset!r}; there are {', '.join(sorted(known))}")
    if preset and layout.columns:
        raise Refused("preset.and_mapping", "the mapping names the columns already: a preset cannot name them too")
    file, read_as = _read(path, layout, today, account, preset)
    return (_of_ours(file, ours) if ours else file), read_as


def _of_ours(file: StatementFile, ours: Collection[str]) -> StatementFile:
    """The file without the statements of accounts that are none of ours."""
    findings = list(file.findings)
    for each in file.statements:
        if each.account not in ours and each.lines:
            rule = "it is none of our accounts at the bank (KEIZOKU_BANK_ACCOUNTS)"
            remedy = "name the account (--account) if it is ours, else give the file to whose it is"
            findings.append(Finding(file.source, each.lines[0].line, each.account or "(not named)", rule, remedy))
    return replace(
        file, statements=tuple(each for each in file.statements if each.account in ours), findings=tuple(findings)
    )


def _read(path: Path, layout: Layout, today: date, account: str, preset: str) -> tuple[StatementFile, str]:
    try:
        raw = read_whole(path)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        digest = sha256(str(path).encode()).hexdigest()
        finding = Finding(str(path), None, "too large", f"the file {error.strerror}", "import the parts")
        return StatementFile(str(path), digest, digest, (), (finding,)), ""
    of_file = recognised(raw, preset)
    own = account or layout.constants.get("account", "")
    if layout.columns or layout.skip_lines or of_file.name in ("", OURS):
        del raw  # it is read once more, row by row
        file = read_bank_csv(path, layout, today, own or of_file.bank)
        return file, "mapping" if layout.columns else OURS if of_file.name == OURS else ""
    read = read_statements(str(path), raw, preset=of_file.name, today=today, account=own)
    statements = read.statements
    if layout.ignore:
        statements = tuple(
            replace(each, lines=packed(_ignored(line, layout) for line in each.lines)) for each in statements
        )
    digest = file_digest(read.sha256, f"{of_file.name}\x1f{layout.model_dump_json()}{account}")
    return replace(read, statements=statements, digest=digest), of_file.name


def _ignored(line: StatementLine, layout: Layout) -> StatementLine:
    """The line, marked where the mapping leaves it out."""
    for name, starts in layout.ignore.items():
        value = {"payer": line.payer, "reference": line.reference, "kind": line.kind_text}.get(name, "")
        if folded(value).startswith(tuple(folded(start) for start in starts)):
            return replace(line, ignored=True)
    return line
