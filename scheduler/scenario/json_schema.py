"""The format of a scenario file as JSON Schema, made from its table of words; editors complete and check by it.

The reader says more (dates that exist, order of instants, names declared before they are used): a file that fits the
schema can still be refused, one that does not fit always is.
"""

import json
from typing import Any, Final

from keizoku.scheduler.scenario.document import NEEDED
from keizoku.scheduler.scenario.schema_words import ACTIONS, CHECKS, PLAN, POPULATION
from keizoku.scheduler.scenario.values import (
    REFUSED,
    instant,
    list_of,
    mapping_of,
    plain,
    record_of,
    schema_of,
    text,
    when,
)

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def scenario_schema() -> dict[str, Any]:
    """The schema of a whole file."""
    refused = {"anyOf": [{"const": True}, {"type": "string"}], "description": "the step has to be refused, and why"}
    numbers = {"type": "integer", "minimum": 0}
    return {
        "$schema": _DIALECT,
        "title": "Keizoku scenario",
        "description": "A dated diary that runs the whole engine, and what should be seen (docs/how-to/scenarios.md)",
        "type": "object",
        "properties": {
            "title": {**text.schema, "description": "one sentence"},
            "clauses": {**list_of(text, "").schema, "description": "the clauses that it exercises: premium/9.2"},
            "terms": {**text.schema, "description": "version of the terms; default: the one in force"},
            "settings": {**mapping_of(plain, "").schema, "description": "settings by name, see `keizoku settings`"},
            "readings": {
                **mapping_of(text, "").schema,
                "description": "readings by name: `keizoku terms readings`",
            },
            "population": {"anyOf": [numbers, list_of(record_of(POPULATION, ""), "").schema]},
            "plans": mapping_of(record_of(PLAN, ""), "").schema,
            "timeline": {"type": "array", "items": _dated(ACTIONS, instant.schema, {REFUSED: refused})},
            "expect": {"type": "array", "items": _dated(CHECKS, when.schema, {})},
        },
        "required": list(NEEDED),
        "additionalProperties": False,
    }


def schema_text() -> str:
    """As the file in docs/reference."""
    return json.dumps(scenario_schema(), indent=1, ensure_ascii=False) + "\n"


def _dated(words: Any, at: Any, more: dict[str, Any]) -> dict[str, Any]:
    """A step: its time and one of the words."""
    return {
        "type": "object",
        "properties": {"at": at, **more, **{word: schema_of(keys) for word, keys in words.items()}},
        "required": ["at"],
        "oneOf": [{"required": [word]} for word in words],
        "additionalProperties": False,
    }
