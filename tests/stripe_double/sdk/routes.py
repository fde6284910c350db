"""Which calls there are: method, path, parameters and answer of each, read from the services of the installed SDK."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

import stripe

from tests.stripe_double.sdk.parameters import Schema, schema_of

_PARAMS = re.compile(r"from (stripe\.params[\w.]*) import \(?\s*(\w+)")
_CALL = re.compile(
    r"\n    def (?P<name>\w+)\((?P<given>[^()]*(?:\([^()]*\)[^()]*)*)\) -> \"(?P<answer>[\w\[\]\"., |]+)\":"
    r"(?P<between>(?:(?!\n    (?:async )?def ).)*?)"
    r"self\._request\(\s*\"(?P<method>get|post|delete)\",\s*\"(?P<path>/v1[^\"]*)\"",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Route:
    """A call of the SDK, such as `payment_intent.cancel`."""

    service: str
    name: str
    method: str
    template: str  # /v1/payment_intents/{intent}/cancel
    params: tuple[str, str] | None  # module and class
    answer: str

    @property
    def endpoint(self) -> str:
        """By what Stripe limits the pace: the method and the path without ids."""
        return f"{self.method} {re.sub(r'{[^}]*}', '{}', self.template)}"

    @property
    def resource(self) -> str:
        """The first word of the path, `payment_intents`."""
        return self.template.split("/")[2]

    def schema(self) -> Schema:
        """What it may be asked with."""
        if self.params is None:
            return Schema("object")
        module, name = self.params
        return schema_of(getattr(import_module(module), name))


@cache
def routes() -> dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]]:
    """Every call of the SDK's services under /v1, by method and number of words in the path."""
    found: dict[tuple[str, int], list[tuple[re.Pattern[str], Route]]] = {}
    folder = Path(stripe.__file__).parent
    for path in sorted(folder.rglob("*_service.py")):
        for route in _of_service(path):
            pattern = re.compile(re.sub(r"{[^}]*}", "([^/]+)", route.template) + "$")
            found.setdefault((route.method, route.template.count("/")), []).append((pattern, route))
    for same in found.values():
        same.sort(key=lambda each: "{" in each[1].template)  # /search before /{id}
    return found


def _of_service(path: Path) -> list[Route]:
    text = path.read_text(encoding="utf-8")
    modules = {name: module for module, name in _PARAMS.findall(text)}
    service = path.stem.strip("_").removesuffix("_service")
    made = []
    for call in _CALL.finditer(text):
        named = re.search(r"params: (?:Optional\[)?\"(\w+)\"", call["given"])
        params = (modules[named[1]], named[1]) if named else None
        made.append(Route(service, call["name"], call["method"].upper(), call["path"], params, call["answer"]))
    return made


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    """The call that a method and a path mean, and the ids in the path."""
    for pattern, route in routes().get((method, path.count("/")), ()):
        fits = pattern.match(path)
        if fits:
            return route, fits.groups()
    return None
