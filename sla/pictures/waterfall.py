"""From all outages to what is recognised, step by step, against the tiers: one inline SVG with text as text.

    all outages        ████████████████████
    night                        ░░░░░░░░       what each clause takes, where it takes it
    not claimed               ▒▒▒
    recognised       █████████ ┆ 2 h to 20 %    tiers are lines across

Looks as in `keizoku.sla.pictures.timeline`. Coordinates are whole hundredths of a pixel, made from whole seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from xml.sax.saxutils import escape

from keizoku.sla.pictures.timeline import LOOKS, STYLE, Lang, counting_bucket, name_of, patterns, px
from keizoku.sla.rules.intervals import Spans, length
from keizoku.terms import words
from keizoku.terms.policy import Policy

LEFT, TOP, ROW, BAR, PLOT, WIDTH = 250, 62, 30, 20, 620, 1060  # px
ALL_OUTAGES = {"ja": "停止時間の合計", "en": "all outages"}


def waterfall_svg(buckets: Mapping[str, Spans], policy: Policy, lang: Lang = "ja", ids: str = "kw") -> str:
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
    bottom = TOP + (len(taken) + 2) * ROW
    height = bottom + 44
    title = _title(seconds[counting], counting, policy, lang)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" lang="{lang}" class="keizoku-month">'
        ),
        f"<title>{escape(title)}</title><style>{STYLE}</style><defs>{patterns((*taken, counting), ids)}</defs>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>',
        *_tiers(policy, scale, bottom, ja),
        _row(0, ALL_OUTAGES[lang], 0, gross, scale, 'fill="#fff"', words.duration(gross, ja)),
    ]
    left = gross
    for place, bucket in enumerate(taken, start=1):
        left -= seconds[bucket]
        text = f"−{words.duration(seconds[bucket], ja)}"
        fill = f'fill="url(#{ids}-{bucket})"'
        parts.append(_row(place, name_of(bucket, lang), left, seconds[bucket], scale, fill, text))
    fill, text = f'fill="url(#{ids}-{counting})"', words.duration(left, ja)
    parts.append(_row(len(taken) + 1, name_of(counting, lang), 0, left, scale, fill, text))
    parts += _to_next(left, bounds, scale, TOP + (len(taken) + 1) * ROW, ja)
    return "\n".join([*parts, "</svg>"]) + "\n"


def stacked(pictures: Sequence[str]) -> str:
    """Pictures one under the other, as one."""
    top, inner = 0, []
    for picture in pictures:
        inner.append(picture.replace("<svg ", f'<svg y="{top}" ', 1))
        top += int(picture.partition(' height="')[2].partition('"')[0]) + 12
    size = f'viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(inner)}</svg>\n'


def _title(seconds: int, counting: str, policy: Policy, lang: Lang) -> str:
    ja = lang == "ja"
    tier = policy.sla.tier(seconds)
    rate = words.percent(tier.rate, ja) if tier else "0%"
    name, text = LOOKS[counting].ja if ja else LOOKS[counting].en, words.duration(seconds, ja)
    return f"{name} {text}、月額利用料金の{rate}" if ja else f"{name}: {text}, {rate} of the monthly fee"


def _tiers(policy: Policy, scale: int, bottom: int, ja: bool) -> Iterator[str]:
    """The bounds of the tiers, as lines across, with what is owed above each."""
    for tier in policy.sla.tiers:
        x = _x(tier.over_seconds, scale)
        over, rate = words.duration(tier.over_seconds, ja), words.percent(tier.rate, ja)
        text = f"{over}超: {rate}" if ja else f"over {over}: {rate}"
        yield (
            f'<line x1="{px(x)}" y1="{TOP - 14}" x2="{px(x)}" y2="{bottom}" stroke="#111" stroke-width="1.2" '
            f'stroke-dasharray="5 3"/><text class="m" x="{px(x)}" y="{TOP - 22}">{escape(text)}</text>'
        )


def _row(place: int, name: str, start: int, seconds: int, scale: int, fill: str, text: str) -> str:
    y = TOP + place * ROW
    width = max(_width(seconds, scale), 150 if seconds else 0)
    return (
        f'<text class="l e" x="{LEFT - 12}" y="{y + 14}">{escape(name)}</text>'
        f'<rect x="{px(_x(start, scale))}" y="{y}" width="{px(width)}" height="{BAR}" {fill} stroke="#222" '
        f'stroke-width=".8"/><text class="l e" x="{WIDTH - 14}" y="{y + 14}">{escape(text)}</text>'
    )


def _to_next(seconds: int, bounds: Sequence[int], scale: int, y: int, ja: bool) -> list[str]:
    """The way from what counts to the next tier; nothing above the last."""
    above = next((bound for bound in bounds if seconds <= bound), None)
    if above is None:
        return []
    missing = words.duration(above - seconds, ja)
    text = f"次の段階との差 {missing}" if ja else f"{missing} short of the next tier"
    start, end = _x(seconds, scale), _x(above, scale)
    middle = y + BAR // 2
    return [
        (
            f'<line x1="{px(start)}" y1="{middle}" x2="{px(end)}" y2="{middle}" stroke="#111" stroke-width="1.2"/>'
            f'<line x1="{px(end)}" y1="{middle - 5}" x2="{px(end)}" y2="{middle + 5}" stroke="#111"/>'
            f'<text class="l" x="{px(start)}" y="{y + BAR + 18}">{escape(text)}</text>'
        )
    ]


def _x(seconds: int, scale: int) -> int:
    return LEFT * 100 + _width(seconds, scale)


def _width(seconds: int, scale: int) -> int:
    return seconds * PLOT * 100 // scale
