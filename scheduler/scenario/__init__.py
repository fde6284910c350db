"""Scenario files: dated events that a lawyer or an accountant can read, run through the whole engine.

    page.py          YAML nodes and findings with their lines
    values.py        one reader per kind of value
    schema_words.py  every action, check and key
    document.py      a file → Scenario or findings
    actions.py       a step → a service's method
    checks.py        an expectation → agreed or not
    run.py           steps, nights and expectations in order
    scratch_schema.py  empty tables for each; many.py runs many in parallel
    report.py        an outcome for people; outcome.py for programs

`docs/how-to/scenarios.md` explains the files to those who write them.
"""
