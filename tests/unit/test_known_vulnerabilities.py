"""`make audit` fails for a finding, and never says that all is well where nobody looked."""

import json

from tests.known_vulnerabilities import NOT_REACHED, verdict

IDS = [{"id": "PYSEC-1", "fix_versions": ["3"]}, {"id": "PYSEC-2", "fix_versions": []}]


def told(*pins: tuple[str, str, list[object] | None]) -> str:
    rows = [
        {"name": name, "skip_reason": "not found"}
        if vulns is None
        else {"name": name, "version": version, "vulns": vulns}
        for name, version, vulns in pins
    ]
    return json.dumps({"dependencies": rows, "fixes": []})


KNOWN = told(("jinja2", "2.4.1", [*IDS]))


def test_a_list_that_does_not_know_what_everybody_knows_was_not_reached() -> None:
    for answer in ("", "no network", "[]", "{}", told(("jinja2", "2.4.1", None)), told(("jinja2", "2.4.1", []))):
        assert verdict(answer, told(("a", "1", [])), 1) == (0, [NOT_REACHED])


def test_a_finding_fails_and_is_named() -> None:
    ours = told(("b", "2", [*IDS]), ("a", "1", []), ("c", "3", None))
    assert verdict(KNOWN, ours, 3) == (
        1,
        ["b==2: PYSEC-1, PYSEC-2", "1 of 3 pinned versions are not on the list and were not checked"],
    )


def test_no_finding_is_said_with_the_number_of_versions_and_silence_is_none() -> None:
    assert verdict(KNOWN, told(("a", "1", []), ("b", "2", [])), 2) == (
        0,
        ["no known vulnerability in 2 pinned versions"],
    )
    assert verdict(KNOWN, "cut o", 2)[0] == 1
