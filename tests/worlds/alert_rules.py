"""The alert rules of docs/how-to/operate.md, and the few words of PromQL in them, evaluated on scrapes.

    agg(metric{label=~"a|b"}) op number       agg: sum, min, max, none; also abs(metric) and increase(metric[1h])

`for:` is left out: a rule that would ring after two hours rings at once. A number that is absent rings nothing.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
Sample = tuple[str, Mapping[str, str], float]
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "==": operator.eq,
    "!=": operator.ne,
}
_TOGETHER: Mapping[str, Callable[[Sequence[float]], float]] = {"sum": sum, "min": min, "max": max}
_RULE = re.compile(r"(?:(sum|min|max)\()?(?:(abs|increase)\()?(\w+)(?:\{(\w+)=~?\"([^\"]*)\"\})?(?:\[\w+\])?\)*")


def rules() -> Mapping[str, str]:
    """The expression of each alert."""
    (block,) = re.findall(r"^```yaml\n(groups:.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    found: list[dict[str, Any]] = [rule for group in yaml.safe_load(block)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule["expr"] for rule in found}


def samples(text: str) -> list[Sample]:
    """A scrape as (name, labels, value)."""
    return [
        (each.name, each.labels, each.value) for one in text_string_to_metric_families(text) for each in one.samples
    ]


def ringing(scrapes: Sequence[str], before: Sequence[str] = ()) -> set[str]:
    """The alerts that ring for the workers with these scrapes; `before`: an hour ago, for what increases."""
    now, then = ([each for text in texts for each in samples(text)] for texts in (scrapes, before))
    return {alert for alert, expression in rules().items() if _holds(expression, now, then)}


def _holds(expression: str, now: Sequence[Sample], then: Sequence[Sample]) -> bool:
    found = re.fullmatch(r"(.+) (>|==|!=) ([\d. *]+)", expression)
    assert found is not None, expression
    measured = _RULE.fullmatch(found[1])
    assert measured is not None, expression
    how, change, name, label, values = measured.groups()

    def picked(among: Sequence[Sample]) -> list[Sample]:
        return [
            each for each in among if each[0] == name and (not label or re.fullmatch(values, each[1].get(label, "")))
        ]

    numbers = [value for _, _, value in picked(now)]
    if change == "abs":
        numbers = [abs(value) for value in numbers]
    elif change == "increase":
        earlier = {(str(sorted(labels.items()))): value for _, labels, value in picked(then)}
        numbers = [value - earlier.get(str(sorted(labels.items())), 0) for _, labels, value in picked(now)]
    if not numbers:
        return False
    limit = 1.0
    for factor in found[3].split("*"):
        limit *= float(factor)
    if how is not None:
        numbers = [_TOGETHER[how](numbers)]
    return any(_COMPARE[found[2]](number, limit) for number in numbers)
