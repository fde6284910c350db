"""One way to refuse: the line that people read, what programs hold on to, and the registry of codes."""

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from keizoku.terms.clauses import clauses
from keizoku.terms.decision import Finding
from keizoku.terms.refusal import Refused, UnknownCodeError, codes

ROOT = Path(__file__).parents[3]
ROOMS = ("billing", "db", "link", "scheduler", "sla", "terms", "web")
PERIOD = Finding("stop", None, "9:00 to 9:00", "a period ends after it starts", "correct one of the times")
USERS = Finding("stop", 2, "-1 users", "a number of users is not negative", "correct it")


@pytest.mark.parametrize(
    ("refused", "line", "clause", "remedy"),
    [
        (Refused("account.unknown", "account 'u7' is not known"), "account 'u7' is not known", None, ""),
        (
            Refused("application.none_waiting", "account u7: no application is waiting", "register it first"),
            "account u7: no application is waiting; register it first (premium/3.3)",
            "premium/3.3",
            "register it first",
        ),
        (
            Refused("application.none_waiting", "account u7: no application is waiting (premium/3.5)"),
            "account u7: no application is waiting (premium/3.5)",
            "premium/3.5",
            "",
        ),
        (
            Refused("plan.no_price", "premium/4.3: plan monthly has no price for renewals on 2026-04-01"),
            "premium/4.3: plan monthly has no price for renewals on 2026-04-01",
            "premium/4.3",
            "",
        ),
        (
            Refused("entry.unknown", "there is no entry 5", "(see `keizoku ledger account CODE`)"),
            "there is no entry 5 (see `keizoku ledger account CODE`)",
            None,
            "see `keizoku ledger account CODE`",
        ),
        (Refused("act.unsigned", "a close needs who closes", ": --author"), "a close needs who closes: --author", None,
         "--author"),
    ],
)  # fmt: skip
def test_the_line_is_the_sentence_the_remedy_and_the_clause(
    refused: Refused, line: str, clause: str | None, remedy: str
) -> None:
    assert (str(refused), refused.clause, refused.remedy) == (line, clause, remedy)


def test_a_fact_that_is_wrong_is_a_finding_and_prints_like_one() -> None:
    refused = Refused.fact("fact.period", PERIOD.source, PERIOD.value, PERIOD.rule, PERIOD.remedy)
    assert str(refused) == str(PERIOD)
    assert refused.findings == (PERIOD,)
    assert refused.to_json() == {
        "code": "fact.period",
        "clause": None,
        "sentence": "stop: 9:00 to 9:00: a period ends after it starts",
        "remedy": "correct one of the times",
        "findings": [
            {
                "source": "stop",
                "line": None,
                "value": "9:00 to 9:00",
                "rule": "a period ends after it starts",
                "remedy": "correct one of the times",
            }
        ],
    }


def test_several_facts_that_are_wrong_are_one_refusal() -> None:
    refused = Refused.of("fact.period", [PERIOD, USERS])
    assert refused.findings == (PERIOD, USERS)
    assert str(refused) == f"{PERIOD}; {USERS}"
    assert (refused.sentence, refused.remedy) == (str(refused), "")


def test_a_refusal_goes_from_one_process_to_another() -> None:
    refused = Refused("application.none_waiting", "none is waiting", "(see the list)", [PERIOD])
    again = pickle.loads(pickle.dumps(refused))  # noqa: S301 - our own bytes
    assert (str(again), again.to_json()) == (str(refused), refused.to_json())


def test_a_code_that_is_not_registered_is_an_error_of_the_program() -> None:
    with pytest.raises(UnknownCodeError, match="register it there"):
        Refused("account.unheard_of", "no")


def raised() -> Iterator[tuple[str, str | None]]:
    """place, code of every refusal in the rooms; None for a code that is not written out."""
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Refused", "Refused.fact", "Refused.of"):
                    first = node.args[0]
                    code = first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", code


def test_every_refusal_has_a_registered_code_and_every_code_is_used() -> None:
    found = dict(raised())
    assert len(found) > 150
    assert [place for place, code in found.items() if code not in codes()] == []
    assert sorted(set(codes()) - {str(code) for code in found.values()}) == []


def test_a_code_is_dotted_snake_case_with_a_gist_of_its_own_and_a_clause_that_exists() -> None:
    every = codes().values()
    assert [each.code for each in every if not re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", each.code)] == []
    assert len({each.en for each in every}) == len({each.ja for each in every}) == len(codes())
    assert [each.code for each in every if not (each.en.endswith(".") and each.ja.endswith("。"))] == []
    assert {each.clause for each in every if each.clause is not None} <= {*clauses(), *clauses("api_link")}


def test_refused_is_the_one_exception_that_does_not_end_in_error() -> None:
    others = []
    for room in ROOMS:
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and any(
                    ast.unparse(base).endswith(("Error", "Exception")) for base in node.bases
                ):
                    others += [] if node.name.endswith("Error") else [node.name]
    assert others == ["Refused"]
