"""Outages of monitors in the database, and measured: what was open gets its end."""

import json
from pathlib import Path

import pytest

from keizoku.db.session import Session
from keizoku.scheduler.cli import main
from keizoku.scheduler.cli.shared.evidence_files import asked_outages
from keizoku.scheduler.cli.shared.inputs import instant
from keizoku.scheduler.cli.shared.output import UserError
from keizoku.sla.evidence.outage_formats.formats import AskedOutages, format_named
from keizoku.sla.months.evidence_lists import incident_list
from keizoku.sla.services.imports import ImportService
from keizoku.terms.calendar import iso_jst, parse_instant
from tests.worlds.evidence_files import NOW, service_of_thousand, unusable
from tests.worlds.sla_world import APRIL

OWN = {"name": "web", "cause": "Status 500", "started_at": "2026-04-15T00:00:00Z", "resolved_at": None}


def better_stack(path: Path, resolved_at: str | None) -> Path:
    row = {"id": "25", "type": "incident", "attributes": OWN | {"resolved_at": resolved_at}}
    path.write_text(json.dumps({"data": [row]}), encoding="utf-8")
    return path


def test_9_3__what_was_open_when_it_was_imported_gets_its_end_when_it_is_over(session: Session, tmp_path: Path) -> None:
    take = ImportService(service_of_thousand(session))
    form = format_named("better-stack")
    assert form is not None
    asked = AskedOutages(form, 100)
    still = better_stack(tmp_path / "1.json", None)
    first = take.incidents(still, author="sato", now=parse_instant("2026-04-15 09:30"), outages=asked)
    assert (first.rows_read, first.rows_new, first.read_as) == (1, 1, "format=better-stack, affected=100")
    assert [each.value for each in first.findings] == ["25: since 2026-04-15T09:00:00+09:00"]
    assert unusable(session) == 1_800
    over = better_stack(tmp_path / "2.json", "2026-04-15T01:00:00Z")
    assert take.incidents(over, author="sato", now=NOW, outages=asked).rows_new == 1
    assert unusable(session) == 3_600
    assert [(row.id, row.revision, row.affected) for row in incident_list(session, APRIL)] == [
        ("better-stack-25", 2, 100)
    ]
    again = better_stack(tmp_path / "3.json", "2026-04-15T01:00:00Z")
    again.write_text(again.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert take.incidents(again, author="sato", now=NOW, outages=asked).rows_new == 0


def test_9_3__neither_an_older_export_nor_peoples_corrections_are_undone(session: Session, tmp_path: Path) -> None:
    service = service_of_thousand(session)
    take, form = ImportService(service), format_named("better-stack")
    assert form is not None
    asked = AskedOutages(form, 100)
    exports = 0

    def imported(resolved_at: str | None, at: str) -> tuple[int, list[str]]:
        nonlocal exports
        exports += 1
        file = better_stack(tmp_path / f"{exports}.json", resolved_at)
        file.write_text(file.read_text(encoding="utf-8") + " " * exports, encoding="utf-8")
        done = take.incidents(file, author="sato", now=parse_instant(at), outages=asked)
        return done.rows_new, [each.rule for each in done.findings]

    def ends() -> list[str]:
        row = next(each for each in incident_list(session, APRIL) if each.id == "better-stack-25")
        return [iso_jst(row.to_at)[11:16], str(row.affected), str(row.cause)]

    open_at = ["it is still open; known until 2026-04-15T09:40:00+09:00"]
    assert (imported(None, "2026-04-15 09:40"), ends()) == ((1, open_at), ["09:40", "100", "fault"])
    # it was over before the export was imported, and people found that more users were unable
    found_at = parse_instant("2026-04-15 09:45")
    service.correct_outage("better-stack-25", affected=900, ground="log", by="sato", now=found_at)
    assert (imported("2026-04-15T00:30:00Z", "2026-04-15 10:00"), ends()) == ((1, []), ["09:30", "900", "fault"])
    # an older export that has it as open, and the same again
    assert (imported(None, "2026-04-20 10:00")[0], ends()) == (0, ["09:30", "900", "fault"])
    assert (imported("2026-04-15T00:30:00Z", "2026-04-20 11:00"), ends()) == ((0, []), ["09:30", "900", "fault"])
    # people state the end, and the monitor repeats what it said before: nothing new; what it never said is for people
    end_at, at = parse_instant("2026-04-15 09:20"), parse_instant("2026-04-20 12:00")
    service.correct_outage("better-stack-25", to_at=end_at, ground="log", by="sato", now=at)
    assert (imported("2026-04-15T00:30:00Z", "2026-04-21 09:00"), ends()) == ((0, []), ["09:20", "900", "fault"])
    rules = ["an outage of this id is recorded"]
    assert (imported("2026-04-15T01:00:00Z", "2026-04-21 10:00"), ends()) == ((0, rules), ["09:20", "900", "fault"])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--format", "better-stack", "--affected", "100"), 0, '"unusable": 3600'),
        (("--format", "better-stack"), 2, "--affected is needed"),
        (("--format", "better", "--affected", "100"), 2, "--format better: one of better-stack, "),
        (("--affected", "100"), 2, "--affected, --columns and --only go with --format"),
    ],
)
def test_9_3__a_monitors_file_is_measured_in_its_own_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    file = better_stack(tmp_path / "a.json", "2026-04-15T01:00:00Z")
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "sla",
                "measure",
                "--month",
                "2026-04",
                "--population",
                "1000",
                "--incidents",
                str(file),
                "--json",
                *arguments,
            ]
        )
    told = capsys.readouterr()
    assert (int(ended.value.code or 0), said in told.out + told.err) == (code, True)


def test_9_3__the_forms_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["sla", "formats", "--json"])
    names = [row["name"] for row in json.loads(capsys.readouterr().out)]
    assert (ended.value.code, names[:2], len(names)) == (0, ["better-stack", "datadog-corrections"], 14)


def test_9_3__users_that_there_always_were_are_recorded_without_a_day() -> None:
    """The documented default of `sla population add 1000`: since 1970 in Japan, which is 1969 in UTC."""
    assert iso_jst(instant("1970-01-01")) == "1970-01-01T00:00:00+09:00"
    with pytest.raises(UserError, match="years go from 1970"):
        instant("1969-12-31")


def test_columns_are_named_of_a_table_alone() -> None:
    assert asked_outages("table", 100, "from=started_at", ["state=down"]) is not None
    with pytest.raises(UserError, match="--columns goes with --format table; --format better-stack has its tool's own"):
        asked_outages("better-stack", 100, "from=started_at", None)
