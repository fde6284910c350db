"""One scenario file while it is read: its YAML nodes, and every finding with its line.

Readers work on composed nodes, not on loaded values, for three reasons: a finding names its line, a
repeated key is seen, and a word stays as it was written (`account: 007` is not the number 7, an
unquoted key `on` is not the boolean true).

A reader returns the value, or UNREAD after it has added a finding to the page; it never raises for what
is in the file.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from keizoku.limits import DEEPEST
from keizoku.terms.decision import Finding

TAG: Final = "tag:yaml.org,2002:"
MOST_NODES: Final = 5_000_000
"""Values of a file, with all that aliases repeat."""


class Unread:
    """The value of a node that could not be read; the page holds the finding."""

    def __bool__(self) -> bool:
        return False


UNREAD: Final = Unread()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value: how it is read from a node, and as JSON Schema for editors, which is never the stricter one."""

    read: Callable[[Page, Node], object]
    schema: Mapping[str, object]

    def __call__(self, page: Page, node: Node) -> object:
        """The value of a node, or UNREAD with a finding on the page."""
        return self.read(page, node)


@dataclass(frozen=True, slots=True)
class Key:
    """What is allowed after one key.

    `refers` names the kind of thing that the value must be the name of (account, plan, claim, stop);
    `nullable` lets an expectation say `null`: the engine states nothing here.
    """

    kind: Kind
    required: bool = False
    refers: str = ""
    nullable: bool = False


Words = Mapping[str, Key]


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that looks most like `word`, however little; "" when nothing is known."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.0)), "")


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word."""
    best = nearest(word, known)
    return f"the nearest known one is `{best}`" if best else "nothing is known here yet"


def compose(text: bytes) -> Node | None:
    """The one document of a YAML file as nodes; raises yaml.YAMLError, also for one that is nested without measure."""
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
    except RecursionError:
        raise yaml.YAMLError(f"lists are nested deeper than {DEEPEST}") from None
    finally:
        loader.dispose()
    if root is not None:
        _measure(root, {}, set(), 0)
    return root


def _measure(node: Node, sizes: dict[int, int], above: set[int], depth: int) -> int:
    """How many nodes one comes to with everything that it repeats by an alias. Raises yaml.YAMLError beyond measure."""
    if isinstance(node, ScalarNode):
        return 1
    if id(node) in above or depth > DEEPEST:
        why = "repeats itself without end" if id(node) in above else f"nested deeper than {DEEPEST}"
        raise yaml.MarkedYAMLError(problem=why, problem_mark=node.start_mark)
    if id(node) not in sizes:
        above.add(id(node))
        children = chain.from_iterable(node.value) if isinstance(node, MappingNode) else node.value
        sizes[id(node)] = 1 + sum(_measure(child, sizes, above, depth + 1) for child in children)
        above.remove(id(node))
    if sizes[id(node)] > MOST_NODES:
        raise yaml.MarkedYAMLError(problem=f"comes to more than {MOST_NODES:,} values", problem_mark=node.start_mark)
    return sizes[id(node)]


@dataclass(slots=True)
class Page:
    """The file `source` and the findings about it, in the order of reading."""

    source: str
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, node: Node, rule: str, remedy: str) -> Unread:
        """Add a finding at the line of `node`, about the word there."""
        value = str(node.value) if isinstance(node, ScalarNode) else _shape(node)
        return self.refuse_line(node.start_mark.line + 1, value, rule, remedy)

    def refuse_line(self, line: int | None, value: str, rule: str, remedy: str) -> Unread:
        """Add a finding at a line (1 is the first)."""
        self.findings.append(Finding(source=self.source, line=line, value=value, rule=rule, remedy=remedy))
        return UNREAD

    def entries(self, node: Node, what: str) -> list[tuple[str, Node, Node]] | Unread:
        """A mapping as (key, key's node, value's node); a repeated key is a finding."""
        if not isinstance(node, MappingNode):
            return self.refuse(node, f"{what} is a mapping of keys to values", "write {key: value, …}")
        entries: dict[str, tuple[str, Node, Node]] = {}
        for key_node, value_node in _with_merged(node):
            if not isinstance(key_node, ScalarNode):
                self.refuse(key_node, f"a key of {what} is a word", "write {key: value, …}")
            elif (key := _key(key_node)) in entries:
                first = entries[key][1].start_mark.line + 1
                self.refuse(key_node, f"the key `{key}` of {what} is given twice", f"first on line {first}")
            else:
                entries[key] = (key, key_node, value_node)
        return list(entries.values())

    def items(self, node: Node, what: str) -> list[Node] | Unread:
        """A list as its nodes."""
        if not isinstance(node, SequenceNode):
            return self.refuse(node, f"{what} is a list", "write [one, two, …]")
        return list(node.value)

    def fields(self, node: Node, what: str, words: Words) -> dict[str, object]:
        """The values of a mapping whose keys are `words`; unknown and missing ones are findings."""
        entries = self.entries(node, what)
        if isinstance(entries, Unread):
            return {}
        facts: dict[str, object] = {}
        for key, key_node, value_node in entries:
            word = words.get(key)
            if word is None:
                self.refuse(key_node, f"unknown key of {what}", did_you_mean(key, words))
            elif word.nullable and is_null(value_node):
                facts[key] = None
            elif not isinstance(value := word.kind(self, value_node), Unread):
                facts[key] = value
        stated = {key for key, _, _ in entries}
        for key, word in words.items():
            if word.required and key not in stated:
                self.refuse(node, f"{what} needs the key `{key}`", f"keys: {', '.join(words)}")
        return facts


def is_null(node: Node) -> bool:
    """Whether the value is `null`, `~` or empty."""
    return isinstance(node, ScalarNode) and node.tag == TAG + "null"


def is_true(node: Node) -> bool:
    """Whether the value is `true`."""
    return isinstance(node, ScalarNode) and node.tag == TAG + "bool" and node.value.lower() == "true"


def line_of(node: Node) -> int:
    """The line of a node, 1 is the first."""
    return int(node.start_mark.line) + 1


def _key(node: ScalarNode) -> str:
    """A key as written; YAML 1.1 takes `on` for the boolean true, and so is any spelling of it."""
    return "on" if node.tag == TAG + "bool" and node.value.lower() == "on" else str(node.value)


def _with_merged(node: MappingNode) -> list[tuple[Node, Node]]:
    """The pairs of a mapping after YAML's merge key `<<`; its own keys win over merged ones."""
    own = [pair for pair in node.value if pair[0].tag != TAG + "merge"]
    stated = {key.value for key, _ in own if isinstance(key, ScalarNode)}
    for key, value in node.value:
        if key.tag != TAG + "merge":
            continue
        for source in value.value if isinstance(value, SequenceNode) else [value]:
            if not isinstance(source, MappingNode):
                continue
            for pair in _with_merged(source):
                if pair[0].value not in stated:
                    stated.add(pair[0].value)
                    own.append(pair)
    return own


def _shape(node: Node) -> str:
    return "{…}" if isinstance(node, MappingNode) else "[…]"
