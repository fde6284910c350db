"""A month of outages as a picture: one row per day, 24 hours across, every second in the colour of its bucket.

One inline SVG with text as text. Colours are those of Okabe and Ito, and each bucket has a pattern and its
clause besides, so nothing rests on telling red from green. Text, lines and ground take the colours of the page that
the picture is on, which may be dark; a picture that is a file of its own is dark on white.
Two frames: WIDE for a desk and for paper, NARROW for a phone. Coordinates are whole hundredths of a pixel, made from
whole seconds.
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

ROW, BAR, LEGEND_ROW = 23, 17, 26  # px
THINNEST = 150  # hundredths of a pixel: what is drawn of the shortest outage
ROOM_FOR_LABEL = 3_000  # hundredths of a pixel
WEEKDAYS = {"ja": "月火水木金土日", "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")}


class Frame(NamedTuple):
    """The measures of a picture, in pixels; a pixel across is so many seconds of a day."""

    name: str  # a class of the picture: what a style sheet chooses it by
    left: int
    top: int
    right: int  # beside the plot, for the sums of days
    seconds: int
    hours: int  # between two names of hours
    legend_left: int
    legend_columns: int

    @property
    def plot(self) -> int:
        """The width of a day."""
        return DAY_SECONDS // self.seconds

    @property
    def width(self) -> int:
        """The width of the whole."""
        return self.left + self.plot + self.right

    @property
    def legend_width(self) -> int:
        """What a column of the legend has."""
        return (self.plot if self.legend_columns > 1 else self.width - 2 * self.legend_left) // self.legend_columns

    def across(self, seconds: int) -> int:
        """Seconds as hundredths of a pixel."""
        return seconds * 100 // self.seconds

    def x(self, second_of_day: int) -> str:
        """Where a second of a day is."""
        return px(self.left * 100 + self.across(second_of_day))


WIDE = Frame("desk", left=78, top=96, right=118, seconds=100, hours=3, legend_left=78, legend_columns=2)
NARROW = Frame("phone", left=54, top=126, right=84, seconds=360, hours=6, legend_left=6, legend_columns=1)


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
    "sans-serif;font-size:11px;fill:#333;fill:var(--ink,#333)}"
    ".keizoku-month .t{font-size:19px;font-weight:600}"
    ".keizoku-month .s{font-size:13px}"
    ".keizoku-month.phone .t{font-size:16px}"
    ".keizoku-month .e{text-anchor:end;font-variant-numeric:tabular-nums}"
    ".keizoku-month .m{text-anchor:middle}"
    ".keizoku-month .k{font-size:9.5px;font-weight:600;text-anchor:middle;fill:#000;stroke:#fff;"
    "stroke-width:2.6px;paint-order:stroke}"
    ".keizoku-month .l{font-size:12px}"
    ".keizoku-month.phone .l{font-size:11.5px}"
    ".keizoku-month .q{fill:#666;fill:var(--soft,#666)}"
    ".keizoku-month .p{fill:#fff;fill:var(--paper,#fff)}"
    ".keizoku-month .d{fill:#f5f6f8;fill:var(--ground,#f5f6f8)}"
    ".keizoku-month .g{fill:#1b2a49;fill:var(--night,#1b2a49);fill-opacity:.09}"
    ".keizoku-month .u{fill:#111;fill:var(--ink,#111)}"
    ".keizoku-month line{stroke:#111;stroke:var(--ink,#111)}"
    ".keizoku-month .h{stroke:#c9cdd4;stroke:var(--line,#c9cdd4)}"
    ".keizoku-month .o{stroke:#222;stroke:var(--ink,#222)}"
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
    frame: Frame = WIDE,
    sums: bool = True,
) -> str:
    """The month for everyone, or, with a claimant's eleven buckets, as that claimant's claim sees it.

    `claimed` is underlined: what the user asked for. `ids` begins the names of patterns, which are of a whole page:
    two pictures on one page take two. `sums`: the legend has those of the buckets, where no table beside it has them.
    """
    buckets = service.buckets if claimant is None else claimant
    days = service.month.days
    legend_top = frame.top + days * ROW + 34
    legend_rows = -(-len(buckets) // frame.legend_columns) + (claimed is not None)
    width, height = frame.width, legend_top + legend_rows * LEGEND_ROW + 22
    title, summary = _words(service, policy, buckets, lang)
    text_left = frame.left if frame.legend_columns > 1 else frame.legend_left
    parts = [
        opened(frame.name, width, height, lang),
        f"<title>{escape(title)}</title><desc>{escape(summary)}</desc>",
        f"<style>{STYLE}</style><defs>{patterns(buckets, ids)}</defs>",
        f'<rect class="p" width="{width}" height="{height}" rx="8" fill="#fff"/>',
        f'<text class="t" x="{text_left}" y="34">{escape(title)}</text>',
        *(
            f'<text class="s" x="{text_left}" y="{56 + 17 * at}">{escape(line)}</text>'
            for at, line in enumerate(_lines(summary, lang) if frame.legend_columns == 1 else [summary])
        ),
        *_days(service, policy, lang, frame),
        *(_bar(block, lang, ids, frame) for block in _blocks(service, buckets)),
        *_underlines(service, claimed, lang, frame),
        *_totals(service, buckets, lang, frame),
        *_legend(buckets, legend_top, lang, ids, claimed, frame, sums),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def opened(name: str, width: int, height: int, lang: Lang) -> str:
    """The beginning of a picture."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" lang="{lang}" class="keizoku-month {name}">'


def _lines(summary: str, lang: Lang) -> list[str]:
    """A summary as the lines of a narrow picture."""
    return summary.split("、" if lang == "ja" else ", ")


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


def _days(service: ServiceMonth, policy: Policy, lang: Lang, frame: Frame) -> Iterator[str]:
    """The empty calendar: hours across, days down, the night shaded."""
    bottom = frame.top + service.month.days * ROW
    for day in range(service.month.days):
        y = frame.top + day * ROW
        on = service.month.first_on + timedelta(days=day)
        weekday = WEEKDAYS[lang][on.weekday()]
        name = f"{on.day}日({weekday})" if lang == "ja" else f"{weekday} {on.day}"
        quiet = " q" if on.weekday() > 4 else ""
        yield f'<text class="e{quiet}" x="{frame.left - (10 if frame is WIDE else 4)}" y="{y + 12}">{name}</text>'
        yield f'<rect class="d" x="{frame.left}" y="{y}" width="{frame.plot}" height="{BAR}" fill="#f5f6f8"/>'
    start, end = policy.sla.night_from_second, policy.sla.night_to_second
    yield (
        f'<rect class="g" x="{frame.x(start)}" y="{frame.top - 4}" width="{px(frame.across(end - start))}" '
        f'height="{bottom - frame.top + 2}" fill="#1b2a49"><title>{escape(name_of("night", lang))}</title></rect>'
    )
    for hour in range(0, 25, frame.hours):
        x = frame.x(hour * 3600)
        yield f'<line class="h" x1="{x}" y1="{frame.top - 6}" x2="{x}" y2="{bottom - 2}" stroke-width=".7"/>'
        yield f'<text class="m" x="{x}" y="{frame.top - 12}">{hour:02}:00</text>'


def _blocks(service: ServiceMonth, buckets: Mapping[str, Spans]) -> Iterator[_Block]:
    first = epoch(service.month.start_at)
    for bucket, spans in buckets.items():
        for whole in spans:
            for day in range((whole[0] - first) // DAY_SECONDS, (whole[1] - 1 - first) // DAY_SECONDS + 1):
                midnight = first + day * DAY_SECONDS
                ((start, end),) = clip((whole,), midnight, midnight + DAY_SECONDS)
                yield _Block(day, start - midnight, end - midnight, bucket, whole)


def _underlines(service: ServiceMonth, claimed: Spans | None, lang: Lang, frame: Frame) -> Iterator[str]:
    """What the user claimed, as a line under the day's bar."""
    within = clip(claimed or (), epoch(service.month.start_at), epoch(service.month.end_at))
    for block in _blocks(service, {"claimed": within}):
        text = f"{_when(block.whole)}: {CLAIMED[lang]}"
        width = max(frame.across(block.end - block.start), THINNEST)
        yield (
            f'<rect class="u" x="{frame.x(block.start)}" y="{frame.top + block.day * ROW + BAR + 1}" '
            f'width="{px(width)}" height="3" fill="#111"><title>{escape(text)}</title></rect>'
        )


def _when(whole: tuple[int, int]) -> str:
    start, end = (from_epoch(at).astimezone(JST) for at in whole)
    until = f"{end:%H:%M:%S}" if end.date() == start.date() else f"{end:%Y-%m-%d %H:%M:%S}"
    return f"{start:%Y-%m-%d %H:%M:%S}–{until} JST"


def _bar(block: _Block, lang: Lang, ids: str, frame: Frame) -> str:
    y = frame.top + block.day * ROW
    width = max(frame.across(block.end - block.start), THINNEST)
    duration = words.duration(block.whole[1] - block.whole[0], lang == "ja")
    text = f"{_when(block.whole)}, {duration}: {name_of(block.bucket, lang)}"
    label = ""
    if width >= ROOM_FOR_LABEL:
        middle = frame.x((block.start + block.end) // 2)
        label = f'<text class="k" x="{middle}" y="{y + 12}">{CLAUSES[block.bucket]}</text>'
    return (
        f'<g><title>{escape(text)}</title><rect class="o" x="{frame.x(block.start)}" y="{y}" width="{px(width)}" '
        f'height="{BAR}" fill="url(#{ids}-{block.bucket})" stroke="#222" stroke-width=".6"/>{label}</g>'
    )


def _totals(service: ServiceMonth, buckets: Mapping[str, Spans], lang: Lang, frame: Frame) -> Iterator[str]:
    """What counts of each day, to the right of it."""
    look = LOOKS[counting_bucket(buckets)]
    right = frame.width - (12 if frame is WIDE else 4)
    yield f'<text class="e" x="{right}" y="{frame.top - 28}">{look.ja if lang == "ja" else look.en}</text>'
    counting = buckets[counting_bucket(buckets)]
    first = epoch(service.month.start_at)
    for day in range(service.month.days):
        midnight = first + day * DAY_SECONDS
        seconds = length(clip(counting, midnight, midnight + DAY_SECONDS))
        if seconds:
            text = words.duration(seconds, lang == "ja")
            yield f'<text class="e" x="{right}" y="{frame.top + day * ROW + 12}">{text}</text>'


def _legend(
    buckets: Mapping[str, Spans], top: int, lang: Lang, ids: str, claimed: Spans | None, frame: Frame, sums: bool
) -> Iterator[str]:
    rows = -(-len(buckets) // frame.legend_columns)
    for place, (bucket, spans) in enumerate(buckets.items()):
        x = frame.legend_left + place // rows * (frame.legend_width + 10)
        y = top + place % rows * LEGEND_ROW
        seconds = length(spans)
        quiet = "" if seconds else " q"
        text = f"{seconds:,}{'秒' if lang == 'ja' else ' s'}"
        if seconds >= 60:
            duration = words.duration(seconds, lang == "ja")
            text = f"{text} = {duration}" if frame is WIDE else duration
        yield (
            f'<rect class="o" x="{x}" y="{y}" width="26" height="15" fill="url(#{ids}-{bucket})" stroke="#222" '
            f'stroke-width=".6"/><text class="l{quiet}" x="{x + 36}" y="{y + 12}">'
            f"{escape(name_of(bucket, lang))}</text>"
        )
        if sums:
            right = x + frame.legend_width - (10 if frame is WIDE else 0)
            yield f'<text class="l e{quiet}" x="{right}" y="{y + 12}">{text}</text>'
    if claimed is not None:
        y = top + rows * LEGEND_ROW
        yield (
            f'<rect class="u" x="{frame.legend_left}" y="{y + 6}" width="26" height="3" fill="#111"/>'
            f'<text class="l" x="{frame.legend_left + 36}" y="{y + 12}">{CLAIMED[lang]}</text>'
        )


def name_of(bucket: str, lang: Lang) -> str:
    """A bucket with its clause."""
    ja, en, clause = LOOKS[bucket].ja, LOOKS[bucket].en, CLAUSES[bucket]
    return f"{ja}({clause})" if lang == "ja" else f"{en} ({clause})"


def px(hundredths: int) -> str:
    """Hundredths of a pixel as SVG has them."""
    return f"{hundredths // 100}.{hundredths % 100:02}"
