"""What in a new description would break a client of an older one.

    a path, method, status or form of answer that is gone; a scope or role that it did not want
    taken      a field or header that is newly wanted or gone, a value, type or format that is no longer taken, a
               limit that is tighter
    answered   a field that is gone or may be missing, a type, format or value that was never answered

A change of that kind needs another version of the path (/v2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["breaking_changes"]

Schema = Mapping[str, Any]
_TIGHTER: Final = {
    "minLength": 1, "minimum": 1, "exclusiveMinimum": 1, "minItems": 1, "minProperties": 1,
    "maxLength": -1, "maximum": -1, "exclusiveMaximum": -1, "maxItems": -1, "maxProperties": -1,
}  # fmt: skip
"""1: a larger value is tighter; -1: a smaller one."""
_SAID: Final = ("pattern", "format", "const")


def breaking_changes(before: Schema, after: Schema) -> list[str]:
    """One line for each, in the order of the older description; empty where no client would break."""
    return list(_Comparison(before, after).of_paths())


@dataclass
class _Comparison:
    before: Schema
    after: Schema
    under_way: set[tuple[str, str, bool]] = field(default_factory=set)
    """Pairs of schemas that are being compared: one that holds itself is looked at once."""

    def of_paths(self) -> Iterator[str]:
        for path, methods in self.before.get("paths", {}).items():
            for method, old in methods.items():
                new = self.after.get("paths", {}).get(path, {}).get(method)
                where = f"{method.upper()} {path}"
                if new is None:
                    yield f"{where}: is gone"
                else:
                    yield from self.of_operation(where, old, new)

    def of_operation(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        wanted = _scopes(new) - _scopes(old)
        if wanted:
            yield f"{where}: {', '.join(sorted(wanted))} is newly wanted"
        for role in old.get("x-roles", []):
            if role not in new.get("x-roles", []):
                yield f"{where}: is no longer for {role}"
        yield from self.of_parameters(where, old, new)
        yield from self.of_bodies(where, old, new)
        for status, answer in old.get("responses", {}).items():
            now = new.get("responses", {}).get(status)
            if now is None:
                yield f"{where}: the answer {status} is gone"
                continue
            for kind, form in answer.get("content", {}).items():
                if kind not in now.get("content", {}):
                    yield f"{where}: the answer {status} {kind} is gone"
                else:
                    yield from self.answered(where, form.get("schema", {}), now["content"][kind].get("schema", {}))
        for status in new.get("responses", {}):
            if status.startswith("2") and status not in old.get("responses", {}):
                yield f"{where}: the answer may be {status}"

    def of_parameters(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        known = {(each["in"], each["name"]): each for each in old.get("parameters", [])}
        now = {(each["in"], each["name"]): each for each in new.get("parameters", [])}
        for key, each in known.items():
            if key not in now:
                yield f"{where}: the parameter {key[1]} is gone"
            else:
                yield from self.taken(f"{where}: {key[1]}", each.get("schema", {}), now[key].get("schema", {}))
        for key, each in now.items():
            if each.get("required") and not known.get(key, {}).get("required"):
                yield f"{where}: the parameter {key[1]} is newly wanted"

    def of_bodies(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        was, now = old.get("requestBody", {}), new.get("requestBody", {})
        if now.get("required") and not was.get("required"):
            yield f"{where}: a body is newly wanted"
        for kind, form in was.get("content", {}).items():
            if kind not in now.get("content", {}):
                yield f"{where}: a body of {kind} is no longer taken"
            else:
                yield from self.taken(where, form.get("schema", {}), now["content"][kind].get("schema", {}))

    def taken(self, where: str, old: Any, new: Any) -> Iterator[str]:
        """What a client may send and may no longer."""
        yield from self.compared(where, old, new, True)

    def answered(self, where: str, old: Any, new: Any) -> Iterator[str]:
        """What a client could rely on and no longer can."""
        yield from self.compared(where, old, new, False)

    def compared(self, where: str, old: Any, new: Any, taken: bool) -> Iterator[str]:
        mark = (_reference(old), _reference(new), taken)
        if mark[0] and mark[1]:
            if mark in self.under_way:
                return
            self.under_way.add(mark)
        was, now = _plain(old, self.before), _plain(new, self.after)
        yield from _values_taken(where, was, now) if taken else _values_answered(where, was, now)
        yield from self.of_fields(where, was, now, taken)
        yield from self.of_choices(where, was, now, taken)
        for inner in ("items", "additionalProperties"):
            if isinstance(was.get(inner), Mapping) and inner in now:
                there = now[inner] if isinstance(now[inner], Mapping) else {}
                if taken and now[inner] is False:
                    yield f"{where}: fields of any name are no longer taken"
                else:
                    yield from self.compared(f"{where}: each", was[inner], there, taken)
        self.under_way.discard(mark)

    def of_fields(self, where: str, was: Schema, now: Schema, taken: bool) -> Iterator[str]:
        there = now.get("properties", {})
        for name, each in was.get("properties", {}).items():
            if name in there:
                yield from self.compared(f"{where}: {name}", each, there[name], taken)
            elif not taken:
                yield f"{where}: the answer's field {name} is gone"
            elif now.get("additionalProperties") is False:
                yield f"{where}: the field {name} is gone"
        for name in now.get("required", []) if taken else was.get("required", []):
            if taken and name not in was.get("required", []):
                yield f"{where}: the field {name} is newly wanted"
            if not taken and name in there and name not in now.get("required", []):
                yield f"{where}: the answer's field {name} may be missing"

    def of_choices(self, where: str, was: Schema, now: Schema, taken: bool) -> Iterator[str]:
        old = {_written(each, self.before) for each in was.get("anyOf", [])}
        new = {_written(each, self.after) for each in now.get("anyOf", [])}
        if old and new and taken and old - new:
            yield f"{where}: {len(old - new)} of its forms are no longer taken"
        if old and new and not taken and new - old:
            yield f"{where}: the answer may have {len(new - old)} forms more"


def _values_taken(where: str, was: Schema, now: Schema) -> Iterator[str]:
    yield from (
        f"{where}: {word} is {now[word]}, was {was.get(word, 'none')}"
        for word, way in _TIGHTER.items()
        if word in now and (word not in was or (now[word] - was[word]) * way > 0)
    )
    for word in _SAID:
        if word in now and now[word] != was.get(word):
            yield f"{where}: {word} is {now[word]}, was {was.get(word, 'none')}"
    if "enum" in now:
        for value in was.get("enum", []):
            if value not in now["enum"]:
                yield f"{where}: {value!r} is no longer taken"
        if "enum" not in was:
            yield f"{where}: only {now['enum']} is taken"
    if _types(was) - _types(now) and _types(now):
        yield f"{where}: {', '.join(sorted(_types(was) - _types(now)))} is no longer taken"


def _values_answered(where: str, was: Schema, now: Schema) -> Iterator[str]:
    for word in _SAID:
        if word in was and now.get(word) != was[word]:
            yield f"{where}: the answer's {word} is {now.get(word, 'none')}, was {was[word]}"
    if _types(was) and (_types(now) - _types(was) or not _types(now)):
        yield f"{where}: the answer may be {', '.join(sorted(_types(now) - _types(was))) or 'anything'}"
    if "enum" in was and "enum" not in now:
        yield f"{where}: the answer may be more than {was['enum']}"
    for value in now.get("enum", []) if "enum" in was else []:
        if value not in was["enum"]:
            yield f"{where}: the answer may be {value!r}"


def _scopes(operation: Schema) -> set[str]:
    return {scope for each in operation.get("security", []) for scopes in each.values() for scope in scopes}


def _types(schema: Schema) -> set[str]:
    """The JSON types that a schema allows, where it says any."""
    found = schema.get("type", [])
    return {found} if isinstance(found, str) else set(found)


def _reference(schema: Any) -> str:
    return str(schema.get("$ref", "")) if isinstance(schema, Mapping) else ""


def _plain(schema: Any, whole: Schema) -> Schema:
    """A schema without references; a choice between one form and null is that form, which may be null."""
    found = _resolved(schema, whole)
    forms = [_resolved(each, whole) for each in found.get("anyOf", [])]
    if not forms:
        return found
    real = [each for each in forms if each.get("type") != "null"]
    types = {kind for each in forms for kind in _types(_plain(each, whole))}
    around = {name: value for name, value in found.items() if name != "anyOf"}
    if len(real) == 1:
        return {**around, **_plain(real[0], whole), "type": sorted(types)}
    return {**found, "type": sorted(types)}


def _written(schema: Any, whole: Schema) -> str:
    return json.dumps(_resolved(schema, whole), sort_keys=True)


def _resolved(schema: Any, whole: Schema) -> Schema:
    reference = _reference(schema)
    if not reference:
        return schema if isinstance(schema, Mapping) else {}
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {})
    return found if isinstance(found, Mapping) else {}
