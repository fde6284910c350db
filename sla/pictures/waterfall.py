"""From all outages to what is recognised, step by step, against the tiers: one inline SVG with text as text.

    all outages        ████████████████████
    night                        ░░░░░░░░       what each clause takes, where it takes it
    not claimed               ▒▒▒
    recognised       █████████ ┆ 2 h to 20 %    tiers are lines across

Looks as in `keizoku.sla.pictures.timeline`, and two frames: on a phone names stand above their bars. Coordinates are
whole hundredths of a pixel, made from whole seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from keizoku.sla.pictures.timeline import LOOKS, STYLE, Lang, counting_bucket, name_of, opened, patterns, px
from keizoku.sla.rules.intervals import Spans, length
from keizoku.terms import words
from keizoku.terms.policy import Policy

BAR = 20  # px


class Steps(NamedTuple):
    """The measures of the steps, in pixels."""

    name: str
    left: int
    top: int
    row: int
    plot: int
    width: int


WIDE = Steps("desk", left=250, top=62, row=30, plot=620, width=1060)
NARROW = Steps("phone", left=6, top=62, row=44, plot=348, width=360)
ALL_OUTAGES = {"ja": "停止時間の合計", "en": "all outages"}


def waterfall_svg(
    buckets: Mapping[str, Spans], policy: Policy, lang: Lang = "ja", ids: str = "kw", frame: Steps = WIDE
) -> str:
    """What each clause takes from the outages, and how far what is left is from the next tier.

    `buckets`: of a claimant or of everyone, in order, the one that counts last. Those without a second are left out.
    """
    ja = lang == "ja"
    seconds = {bucket: length(spans) for bucket, spans in buckets.items()}
    counting = counting_bucket(buckets)
    gross = sum(seconds.values())
    taken = [bucket for bucket in buckets if seconds[bucket] and bucket != counting]
    bounds = [tier.over_seconds for tier in policy.sla.tiers]
    scale = max(gross, bounds[-1] * 5 // 4)
    bottom = frame.top + (len(taken) + 2) * frame.row
    height = bottom + 44
    title = _title(seconds[counting], counting, policy, lang)
    parts = [
        opened(f"{frame.name} steps", frame.width, height, lang),
        f"<title>{escape(title)}</title><style>{STYLE}</style><defs>{patterns((*taken, counting), ids)}</defs>",
        f'<rect class="p" width="{frame.width}" height="{height}" rx="8" fill="#fff"/>',
        *_tiers(policy, scale, bottom, ja, frame),
        _row(0, ALL_OUTAGES[lang], 0, gross, scale, 'fill="none"', words.duration(gross, ja), frame),
    ]
    left = gross
    for place, bucket in enumerate(taken, start=1):
        left -= seconds[bucket]
        text = f"−{words.duration(seconds[bucket], ja)}"
        fill = f'fill="url(#{ids}-{bucket})"'
        parts.append(_row(place, name_of(bucket, lang), left, seconds[bucket], scale, fill, text, frame))
    fill, text = f'fill="url(#{ids}-{counting})"', words.duration(left, ja)
    parts.append(_row(len(taken) + 1, name_of(counting, lang), 0, left, scale, fill, text, frame))
    parts += _to_next(left, bounds, scale, len(taken) + 1, ja, frame)
    return "\n".join([*parts, "</svg>"]) + "\n"


def stacked(pictures: Sequence[str]) -> str:
    """Pictures one under the other, as one."""
    top, inner = 0, []
    for picture in pictures:
        inner.append(picture.replace("<svg ", f'<svg y="{top}" ', 1))
        top += int(picture.partition(' height="')[2].partition('"')[0]) + 12
    size = f'viewBox="0 0 {WIDE.width} {top}" width="{WIDE.width}" height="{top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(inner)}</svg>\n'


def _title(seconds: int, counting: str, policy: Policy, lang: Lang) -> str:
    ja = lang == "ja"
    tier = policy.sla.tier(seconds)
    rate = words.percent(tier.rate, ja) if tier else "0%"
    name, text = LOOKS[counting].ja if ja else LOOKS[counting].en, words.duration(seconds, ja)
    return f"{name} {text}、月額利用料金の{rate}" if ja else f"{name}: {text}, {rate} of the monthly fee"


def _tiers(policy: Policy, scale: int, bottom: int, ja: bool, frame: Steps) -> Iterator[str]:
    """The bounds of the tiers, as lines across, with what is owed above each."""
    for place, tier in enumerate(policy.sla.tiers):
        x = _x(tier.over_seconds, scale, frame)
        over, rate = words.duration(tier.over_seconds, ja), words.percent(tier.rate, ja)
        text = f"{over}超: {rate}" if ja else f"over {over}: {rate}"
        y, side, at = frame.top - 22, "m", x
        if frame is NARROW:  # one under the other, on the side that has room
            y, side, at = 16 + 16 * place, "e" if 2 * x > frame.width * 100 else "", x - 400
            at = at if side else x + 400
        yield (
            f'<line x1="{px(x)}" y1="{y + 8 if frame is WIDE else y - 10}" x2="{px(x)}" y2="{bottom}" '
            f'stroke="#111" stroke-width="1.2" stroke-dasharray="5 3"/>'
            f'<text class="{side}" x="{px(at)}" y="{y}">{escape(text)}</text>'
        )


def _row(place: int, name: str, start: int, seconds: int, scale: int, fill: str, text: str, frame: Steps) -> str:
    y = frame.top + place * frame.row
    width = max(_width(seconds, scale, frame), 150 if seconds else 0)
    name_at, side, text_at, down = frame.left - 12, "l e", frame.width - 14, 0
    if frame is NARROW:  # the words above the bar
        name_at, side, text_at, down = frame.left, "l", frame.width - 6, BAR - 1
    return (
        f'<text class="{side}" x="{name_at}" y="{y + 14}">{escape(name)}</text>'
        f'<rect class="o" x="{px(_x(start, scale, frame))}" y="{y + down}" width="{px(width)}" '
        f'height="{BAR if frame is WIDE else 15}" {fill} stroke="#222" '
        f'stroke-width=".8"/><text class="l e" x="{text_at}" y="{y + 14}">{escape(text)}</text>'
    )


def _to_next(seconds: int, bounds: Sequence[int], scale: int, place: int, ja: bool, frame: Steps) -> list[str]:
    """The way from what counts to the next tier; nothing above the last."""
    above = next((bound for bound in bounds if seconds <= bound), None)
    if above is None:
        return []
    missing = words.duration(above - seconds, ja)
    text = f"次の段階との差 {missing}" if ja else f"{missing} short of the next tier"
    start, end = _x(seconds, scale, frame), _x(above, scale, frame)
    y = frame.top + place * frame.row + (0 if frame is WIDE else BAR - 3)
    middle = y + BAR // 2
    side, at = ("", start) if frame is WIDE or 2 * start < frame.width * 100 else (" e", end)
    return [
        (
            f'<line x1="{px(start)}" y1="{middle}" x2="{px(end)}" y2="{middle}" stroke="#111" stroke-width="1.2"/>'
            f'<line x1="{px(end)}" y1="{middle - 5}" x2="{px(end)}" y2="{middle + 5}" stroke="#111"/>'
            f'<text class="l{side}" x="{px(at)}" y="{y + BAR + 18}">{escape(text)}</text>'
        )
    ]


def _x(seconds: int, scale: int, frame: Steps) -> int:
    return frame.left * 100 + _width(seconds, scale, frame)


def _width(seconds: int, scale: int, frame: Steps) -> int:
    return seconds * frame.plot * 100 // scale
