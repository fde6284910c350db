"""A picture of how the time of cases grows with their size: both axes double from line to line, in plain SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 420, 64, 24, 260, 48
COLOURS = ("#1f5fa8", "#b3541e", "#2f7d4f", "#7a3f8f", "#555555")


def growth_svg(cases: Mapping[str, Mapping[str, Any]]) -> str:
    """Seconds against the size of every case that has a growth; the dotted line beside each is growth in proportion."""
    grown = [case for case in cases.values() if case.get("growth")]
    largest = max(max(case["growth"]["times"]) for case in grown)
    seconds = [each for case in grown for each in case["growth"]["seconds"]]
    low, high = math.floor(math.log2(min(seconds))), math.ceil(math.log2(max(seconds) * 1.01))
    columns = round(math.log2(largest))

    def x(times: float) -> float:
        return LEFT + math.log2(times) / columns * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - math.log2(value)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    attributes = 'font-family="sans-serif" font-size="13" role="img" aria-label="How the time grows with the size"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {attributes}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(columns + 1):
        at = x(2**power)
        drawn.append(f'<path d="M{at:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#e4e4e4"/>')
        drawn.append(f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{2**power} ×</text>')
    for power in range(low, high + 1):
        at = y(2.0**power)
        drawn.append(f'<path d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}" stroke="#e4e4e4"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{2.0**power:g} s</text>')
    for number, case in enumerate(grown):
        colour = COLOURS[number % len(COLOURS)]
        growth = case["growth"]
        points = list(zip(growth["times"], growth["seconds"], strict=True))
        path = " ".join(f"{x(times):.1f},{y(value):.1f}" for times, value in points)
        first, last = points[0], points[-1]
        proportion = first[1] * last[0] / first[0]
        drawn.append(
            f'<path d="M{x(first[0]):.1f} {y(first[1]):.1f}L{x(last[0]):.1f} {y(min(proportion, 2.0**high)):.1f}" '
            f'stroke="{colour}" stroke-dasharray="2 4" fill="none"/>'
        )
        drawn.append(f'<polyline points="{path}" stroke="{colour}" stroke-width="2" fill="none"/>')
        drawn += [f'<circle cx="{x(t):.1f}" cy="{y(value):.1f}" r="3.5" fill="{colour}"/>' for t, value in points]
        told = f"{case['title']}: {growth['exponent']}"
        drawn.append(
            f'<text x="{WIDTH - RIGHT + 14}" y="{TOP + 16 + 22 * number}" fill="{colour}">{escape(told)}</text>'
        )
    legend = "size; the number is the fitted exponent, dotted: in proportion"
    drawn.append(f'<text x="{LEFT}" y="{HEIGHT - 8}">{legend}</text>')
    return "\n".join([*drawn, "</svg>"]) + "\n"
