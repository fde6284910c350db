"""What in a new description would break a client of an older one.

    a path or method that is gone, a field or value that is no longer answered, a field or header that is newly
    wanted, a value that is no longer taken, a limit that is tighter

A change of that kind needs another version of the path (/v2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["breaking_changes"]

_TIGHTER: Final = {"minLength": 1, "minimum": 1, "minItems": 1, "maxLength": -1, "maximum": -1, "maxItems": -1}
"""1: a larger value is tighter; -1: a smaller one."""


def breaking_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """One line for each, in the order of the older description; empty where no client would break."""
    return list(_of_paths(before, after))


def _of_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in before.get("paths", {}).items():
        for method, old in methods.items():
            new = after.get("paths", {}).get(path, {}).get(method)
            where = f"{method.upper()} {path}"
            if new is None:
                yield f"{where}: is gone"
                continue
            yield from _of_parameters(where, old, new, before, after)
            yield from _of_bodies(where, old, new, before, after)
            for status, answer in old.get("responses", {}).items():
                if status.startswith("2"):
                    for kind, form in answer.get("content", {}).items():
                        now = new.get("responses", {}).get(status, {}).get("content", {}).get(kind)
                        if now is None:
                            yield f"{where}: the answer {status} {kind} is gone"
                        else:
                            yield from _answered(where, form.get("schema", {}), now.get("schema", {}), before, after)


def _of_parameters(
    where: str, old: Mapping[str, Any], new: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    known = {(each["in"], each["name"]): each for each in old.get("parameters", [])}
    now = {(each["in"], each["name"]): each for each in new.get("parameters", [])}
    for key, each in known.items():
        if key not in now:
            yield f"{where}: the parameter {key[1]} is gone"
        else:
            yield from _taken(f"{where}: {key[1]}", each.get("schema", {}), now[key].get("schema", {}), before, after)
    for key, each in now.items():
        if each.get("required") and not known.get(key, {}).get("required"):
            yield f"{where}: the parameter {key[1]} is newly wanted"


def _of_bodies(
    where: str, old: Mapping[str, Any], new: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[str]:
    was, now = old.get("requestBody"), new.get("requestBody")
    if now is not None and now.get("required") and was is None:
        yield f"{where}: a body is newly wanted"
    if was is None or now is None:
        return
    for kind, form in was.get("content", {}).items():
        if kind not in now.get("content", {}):
            yield f"{where}: a body of {kind} is no longer taken"
        else:
            yield from _taken(where, form.get("schema", {}), now["content"][kind].get("schema", {}), before, after)


def _taken(where: str, old: Any, new: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What a client may send and may no longer."""
    old, new = _resolved(old, before), _resolved(new, after)
    yield from (
        f"{where}: {word} is {new[word]}, was {old.get(word, 'none')}"
        for word, way in _TIGHTER.items()
        if word in new and (word not in old or (new[word] - old[word]) * way > 0)
    )
    if new.get("pattern") != old.get("pattern") and "pattern" in new:
        yield f"{where}: pattern is {new['pattern']}, was {old.get('pattern', 'none')}"
    if "enum" in new:
        for value in old.get("enum", []):
            if value not in new["enum"]:
                yield f"{where}: {value!r} is no longer taken"
        if "enum" not in old:
            yield f"{where}: only {new['enum']} is taken"
    if _types(old) - _types(new):
        yield f"{where}: {', '.join(sorted(_types(old) - _types(new)))} is no longer taken"
    fields, now = old.get("properties", {}), new.get("properties", {})
    for name, each in fields.items():
        if name not in now:
            if new.get("additionalProperties") is False:
                yield f"{where}: the field {name} is gone"
        else:
            yield from _taken(f"{where}: {name}", each, now[name], before, after)
    for name in new.get("required", []):
        if name not in old.get("required", []):
            yield f"{where}: the field {name} is newly wanted"


def _answered(where: str, old: Any, new: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """What a client could rely on and no longer can."""
    old, new = _resolved(old, before), _resolved(new, after)
    for name, each in old.get("properties", {}).items():
        now = new.get("properties", {}).get(name)
        if now is None:
            yield f"{where}: the answer's field {name} is gone"
            continue
        if name in old.get("required", []) and name not in new.get("required", []):
            yield f"{where}: the answer's field {name} may be missing"
        yield from _answered(f"{where}: {name}", each, now, before, after)
    if _types(new) - _types(old):
        yield f"{where}: the answer may be {', '.join(sorted(_types(new) - _types(old)))}"
    if "items" in old:
        yield from _answered(where, old["items"], new.get("items", {}), before, after)
    for value in new.get("enum", []) if "enum" in old else []:
        if value not in old["enum"]:
            yield f"{where}: the answer may be {value!r}"


def _types(schema: Mapping[str, Any]) -> set[str]:
    """The JSON types that a schema allows, where it says any."""
    if "anyOf" in schema:
        return {kind for each in schema["anyOf"] for kind in _types(each)}
    found = schema.get("type", [])
    return {found} if isinstance(found, str) else set(found)


def _resolved(schema: Any, whole: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    if reference is None:
        return schema if isinstance(schema, Mapping) else {}
    found: Any = whole
    for part in str(reference).removeprefix("#/").split("/"):
        found = found.get(part, {})
    return found if isinstance(found, Mapping) else {}
