"""A month of outages as a picture: one row per day, 24 hours across, every second in the colour of its bucket.

One inline SVG with text as text. Colours are those of Okabe and Ito, and each bucket has a pattern and its
clause besides, so nothing rests on telling red from green. A pixel is 100 seconds: coordinates are whole
hundredths of a pixel, made from whole seconds.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Literal, NamedTuple
from xml.sax.saxutils import escape

from keizoku.sla.rules.claim_steps import EXCLUDED_BY
from keizoku.sla.rules.intervals import Spans, clip, length
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms import words
from keizoku.terms.calendar import DAY_SECONDS, JST, epoch, from_epoch
from keizoku.terms.policy import Policy

Lang = Literal["ja", "en"]

LEFT, TOP, ROW, BAR, PLOT = 78, 96, 23, 17, DAY_SECONDS // 100  # px
RIGHT = LEFT + PLOT
WIDTH = RIGHT + 118
LEGEND_ROW, LEGEND_COLUMNS = 26, 2
THINNEST = 150  # hundredths of a pixel: what is drawn of the shortest outage
ROOM_FOR_LABEL_SECONDS = 3_000
WEEKDAYS = {"ja": "月火水木金土日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}


class Look(NamedTuple):
    """How a bucket is drawn and called."""

    fill: str
    pattern: str  # an SVG path on a tile of 8 by 8 pixels, drawn over the fill; "" for none
    ja: str
    en: str


DOTS = "M2 2h1.6v1.6h-1.6zM6 6h1.6v1.6h-1.6z"
RISING, FALLING = "M-1 1l2-2M0 8l8-8M7 9l2-2", "M-1 7l2 2M0 0l8 8M7-1l2 2"
UPRIGHT, LEVEL, CROSSED, PLAIN = "M2 0v8M6 0v8", "M0 2h8M0 6h8", "M0 0l8 8M8 0l-8 8", ""

LOOKS: Mapping[str, Look] = {
    "short_stop": Look("#F0E442", DOTS, "短い停止", "short outage"),
    "night": Look("#0072B2", RISING, "夜間", "night"),
    "announced_update": Look("#009E73", FALLING, "告知済みのシステムアップデート", "announced update"),
    "interruption": Look("#CC79A7", UPRIGHT, "規約に基づく中断", "interruption under the terms"),
    "environment": Look("#56B4E9", LEVEL, "利用者の環境", "users' environment"),
    "unusable": Look("#D55E00", PLAIN, "使用不能時間", "unusable time"),
    "not_member": Look("#E5E5E5", DOTS, "契約の期間外", "no premium term"),
    "suspended": Look("#BBBBBB", UPRIGHT, "本人の利用停止", "own suspension"),
    "not_card": Look("#BBBBBB", RISING, "カード以外の決済", "not paid by card"),
    "not_claimed": Look("#E5E5E5", LEVEL, "申請のない時間", "not claimed"),
    "not_recognised": Look("#E69F00", CROSSED, "認められなかった時間", "not recognised"),
    "recognised": Look("#D55E00", PLAIN, "認められた使用不能時間", "recognised"),
}
CLAIMED = {"ja": "申請された時間", "en": "claimed"}
CLAUSES = {
    bucket: clause.removeprefix("premium/")
    for bucket, clause in {**EXCLUDED_BY, "unusable": "premium/9.3", "recognised": "premium/9.2"}.items()
}
STYLE = (
    ".keizoku-month text{font-family:system-ui,'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',"
    "sans-serif;font-size:11px;fill:#333}"
    ".keizoku-month .t{font-size:19px;font-weight:600;fill:#111}"
    ".keizoku-month .s{font-size:13px;fill:#444}"
    ".keizoku-month .e{text-anchor:end;font-variant-numeric:tabular-nums}"
    ".keizoku-month .m{text-anchor:middle}"
    ".keizoku-month .k{font-size:9.5px;font-weight:600;text-anchor:middle;fill:#000;stroke:#fff;"
    "stroke-width:2.6px;paint-order:stroke}"
    ".keizoku-month .l{font-size:12px}"
    ".keizoku-month .q{fill:#777}"
)
"""Of every picture of a month."""


class _Block(NamedTuple):
    """A span of one bucket inside one day, in seconds of that day; `whole` is the span it was cut from."""

    day: int
    start: int
    end: int
    bucket: str
    whole: tuple[int, int]


def month_svg(
    service: ServiceMonth,
    policy: Policy,
    lang: Lang = "ja",
    claimant: Mapping[str, Spans] | None = None,
    claimed: Spans | None = None,
    ids: str = "kz",
) -> str:
    """The month for everyone, or, with a claimant's eleven buckets, as that claimant's claim sees it.

    `claimed` is underlined: what the user asked for. `ids` begins the names of patterns, which are of a whole page:
    two pictures on one page take two.
    """
    buckets = service.buckets if claimant is None else claimant
    days = service.month.days
    legend_top = TOP + days * ROW + 34
    legend_rows = -(-len(buckets) // LEGEND_COLUMNS) + (claimed is not None)
    height = legend_top + legend_rows * LEGEND_ROW + 22
    title, summary = _words(service, policy, buckets, lang)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" lang="{lang}" class="keizoku-month">',
        f"<title>{escape(title)}</title><desc>{escape(summary)}</desc>",
        f"<style>{STYLE}</style><defs>{patterns(buckets, ids)}</defs>",
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#fff"/>',
        f'<text class="t" x="{LEFT}" y="34">{escape(title)}</text>',
        f'<text class="s" x="{LEFT}" y="56">{escape(summary)}</text>',
        *_days(service, policy, lang),
        *(_bar(block, lang, ids) for block in _blocks(service, buckets)),
        *_underlines(service, claimed, lang),
        *_totals(service, buckets, lang),
        *_legend(buckets, legend_top, lang, ids, claimed),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def counting_bucket(buckets: Mapping[str, Spans]) -> str:
    """The bucket of the seconds that count: recognised for a claimant, unusable for everyone."""
    return "recognised" if "recognised" in buckets else "unusable"


def _words(service: ServiceMonth, policy: Policy, buckets: Mapping[str, Spans], lang: Lang) -> tuple[str, str]:
    ja = lang == "ja"
    counting = counting_bucket(buckets)
    seconds = length(buckets[counting])
    tier = policy.sla.tier(seconds)
    rate = words.percent(tier.rate, ja) if tier else "0%"
    month, look = words.month(service.month, ja), LOOKS[counting]
    stopped, counted = words.duration(length(service.gross), ja), words.duration(seconds, ja)
    if ja:
        return f"{month} サービス停止状態", f"停止 {stopped}、{look.ja} {counted}、月額利用料金の{rate}"
    text = f"stopped {stopped}, {look.en} {counted}, {rate} of the monthly fee"
    return f"Service outages in {month}", text


def patterns(buckets: Iterable[str], ids: str) -> str:
    """The fill of each bucket: its colour, and its pattern over it."""
    return "".join(
        f'<pattern id="{ids}-{bucket}" width="8" height="8" patternUnits="userSpaceOnUse">'
        f'<rect width="8" height="8" fill="{LOOKS[bucket].fill}"/>'
        f'<path d="{LOOKS[bucket].pattern}" stroke="#222" stroke-opacity=".55" fill="none"/></pattern>'
        for bucket in buckets
    )


def _days(service: ServiceMonth, policy: Policy, lang: Lang) -> Iterator[str]:
    """The empty calendar: hours across, days down, the night shaded."""
    bottom = TOP + service.month.days * ROW
    for day in range(service.month.days):
        y = TOP + day * ROW
        on = service.month.first_on + timedelta(days=day)
        weekday = WEEKDAYS[lang][on.weekday()]
        name = f"{on.day}日({weekday})" if lang == "ja" else f"{weekday} {on.day}"
        quiet = " q" if on.weekday() > 4 else ""
        yield f'<text class="e{quiet}" x="{LEFT - 10}" y="{y + 12}">{name}</text>'
        yield f'<rect x="{LEFT}" y="{y}" width="{PLOT}" height="{BAR}" fill="#f5f6f8"/>'
    start, end = policy.sla.night_from_second, policy.sla.night_to_second
    yield (
        f'<rect x="{_x(start)}" y="{TOP - 4}" width="{px(end - start)}" height="{bottom - TOP + 2}" '
        f'fill="#1b2a49" fill-opacity=".09"><title>{escape(name_of("night", lang))}</title></rect>'
    )
    for hour in range(0, 25, 3):
        x = _x(hour * 3600)
        yield f'<line x1="{x}" y1="{TOP - 6}" x2="{x}" y2="{bottom - 2}" stroke="#c9cdd4" stroke-width=".7"/>'
        yield f'<text class="m" x="{x}" y="{TOP - 12}">{hour:02}:00</text>'


def _blocks(service: ServiceMonth, buckets: Mapping[str, Spans]) -> Iterator[_Block]:
    first = epoch(service.month.start_at)
    for bucket, spans in buckets.items():
        for whole in spans:
            for day in range((whole[0] - first) // DAY_SECONDS, (whole[1] - 1 - first) // DAY_SECONDS + 1):
                midnight = first + day * DAY_SECONDS
                ((start, end),) = clip((whole,), midnight, midnight + DAY_SECONDS)
                yield _Block(day, start - midnight, end - midnight, bucket, whole)


def _underlines(service: ServiceMonth, claimed: Spans | None, lang: Lang) -> Iterator[str]:
    """What the user claimed, as a line under the day's bar."""
    within = clip(claimed or (), epoch(service.month.start_at), epoch(service.month.end_at))
    for block in _blocks(service, {"claimed": within}):
        text = f"{_when(block.whole)}: {CLAIMED[lang]}"
        width = max(block.end - block.start, THINNEST)
        yield (
            f'<rect class="u" x="{_x(block.start)}" y="{TOP + block.day * ROW + BAR + 1}" width="{px(width)}" '
            f'height="3" fill="#111"><title>{escape(text)}</title></rect>'
        )


def _when(whole: tuple[int, int]) -> str:
    start, end = (from_epoch(at).astimezone(JST) for at in whole)
    until = f"{end:%H:%M:%S}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S}–{until} JST"


def _bar(block: _Block, lang: Lang, ids: str) -> str:
    y = TOP + block.day * ROW
    width = max(block.end - block.start, THINNEST)
    duration = words.duration(block.whole[1] - block.whole[0], lang == "ja")
    text = f"{_when(block.whole)}, {duration}: {name_of(block.bucket, lang)}"
    label = ""
    if block.end - block.start >= ROOM_FOR_LABEL_SECONDS:
        middle = _x((block.start + block.end) // 2)
        label = f'<text class="k" x="{middle}" y="{y + 12}">{CLAUSES[block.bucket]}</text>'
    return (
        f'<g><title>{escape(text)}</title><rect x="{_x(block.start)}" y="{y}" width="{px(width)}" '
        f'height="{BAR}" fill="url(#{ids}-{block.bucket})" stroke="#222" stroke-width=".6"/>{label}</g>'
    )


def _totals(service: ServiceMonth, buckets: Mapping[str, Spans], lang: Lang) -> Iterator[str]:
    """What counts of each day, to the right of it."""
    look = LOOKS[counting_bucket(buckets)]
    yield f'<text class="e" x="{WIDTH - 12}" y="{TOP - 28}">{look.ja if lang == "ja" else look.en}</text>'
    counting = buckets[counting_bucket(buckets)]
    first = epoch(service.month.start_at)
    for day in range(service.month.days):
        midnight = first + day * DAY_SECONDS
        seconds = length(clip(counting, midnight, midnight + DAY_SECONDS))
        if seconds:
            text = words.duration(seconds, lang == "ja")
            yield f'<text class="e" x="{WIDTH - 12}" y="{TOP + day * ROW + 12}">{text}</text>'


def _legend(buckets: Mapping[str, Spans], top: int, lang: Lang, ids: str, claimed: Spans | None) -> Iterator[str]:
    rows = -(-len(buckets) // LEGEND_COLUMNS)
    for place, (bucket, spans) in enumerate(buckets.items()):
        x = LEFT + place // rows * (PLOT // LEGEND_COLUMNS + 10)
        y = top + place % rows * LEGEND_ROW
        seconds = length(spans)
        quiet = "" if seconds else " q"
        text = f"{seconds:,}{'秒' if lang == 'ja' else ' s'}"
        if seconds >= 60:
            text += f" = {words.duration(seconds, lang == 'ja')}"
        yield (
            f'<rect x="{x}" y="{y}" width="26" height="15" fill="url(#{ids}-{bucket})" stroke="#222" '
            f'stroke-width=".6"/><text class="l{quiet}" x="{x + 36}" y="{y + 12}">'
            f"{escape(name_of(bucket, lang))}</text>"
            f'<text class="l e{quiet}" x="{x + PLOT // LEGEND_COLUMNS - 10}" y="{y + 12}">{text}</text>'
        )
    if claimed is not None:
        y = top + rows * LEGEND_ROW
        yield (
            f'<rect x="{LEFT}" y="{y + 6}" width="26" height="3" fill="#111"/>'
            f'<text class="l" x="{LEFT + 36}" y="{y + 12}">{CLAIMED[lang]}</text>'
        )


def name_of(bucket: str, lang: Lang) -> str:
    """A bucket with its clause."""
    ja, en, clause = LOOKS[bucket].ja, LOOKS[bucket].en, CLAUSES[bucket]
    return f"{ja}({clause})" if lang == "ja" else f"{en} ({clause})"


def _x(second_of_day: int) -> str:
    return px(LEFT * 100 + second_of_day)


def px(hundredths: int) -> str:
    """Hundredths of a pixel as SVG has them."""
    return f"{hundredths // 100}.{hundredths % 100:02}"
