"""A run of tests fails where a request violates the types, also when no test of it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stripe_double.server import VIOLATIONS

ROOT = Path(__file__).parents[3]
A_TEST = """
from keizoku.billing.gateway.stripe_calls import StripeCalls
from keizoku.billing.cards import saved_cards
from tests.stripe_double.running import running_double
import inspect, pytest, stripe

def test_a_card_is_begun_by_someone_who_passes_over_errors():
    source = inspect.getsource(saved_cards).replace({before!r}, {after!r})
    exec(compile(source, "mutated", "exec"), module := {{"__name__": "mutated"}})
    with running_double() as double:
        calls = StripeCalls.to("sk_test_12345", api_base=double.url, retries=0)
        module["want_to_add"] = lambda *_: None  # there is no database here
        module["_customer"] = lambda session, calls, account, now: calls.call(
            lambda client: client.v1.customers.create({{}})).id
        try:
            module["begin_card"](None, calls, "taro", None)
        except Exception:
            pass
"""


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ("usage", "usage", 0, "1 passed"),
        ('"usage"', '"usege"', 1, "POST /v1/setup_intents: Received unknown parameter: usege"),
        ('"allowed_payment_method_types"', '"payment_method_types"', 1,
         "POST /v1/setup_intents: Received unknown parameter: payment_method_types"),
        ('"off_session"', '"offline"', 1,
         "POST /v1/setup_intents: Invalid usage: must be one of off_session or on_session"),
    ],
)  # fmt: skip
def test_a_mutated_parameter_fails_the_run(tmp_path: Path, before: str, after: str, code: int, said: str) -> None:
    file = tmp_path / "test_mutated.py"
    file.write_text(A_TEST.format(before=before, after=after), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop(VIOLATIONS, None)
    run = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "tests.stripe_double.watched",
        str(file),
    ]
    done = subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout
