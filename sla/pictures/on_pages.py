"""Pictures for pages: each drawn wide, for a desk and for paper, and narrow, for a phone; the style sheet shows one.

    month_on_page(service, policy, "ja")     waterfall_on_page(buckets, policy, "ja")

The legend has no sums: a table beside the picture has them. `ids` begins the names of patterns, which are of a whole
page.
"""

from collections.abc import Mapping

from keizoku.sla.pictures import timeline, waterfall
from keizoku.sla.pictures.timeline import Lang
from keizoku.sla.rules.intervals import Spans
from keizoku.sla.rules.unusable_time import ServiceMonth
from keizoku.terms.policy import Policy

__all__ = ["month_on_page", "waterfall_on_page"]


def month_on_page(
    service: ServiceMonth,
    policy: Policy,
    lang: Lang,
    claimant: Mapping[str, Spans] | None = None,
    claimed: Spans | None = None,
    ids: str = "kz",
    sums: bool = False,
) -> str:
    """The month as a page shows it."""
    return "".join(
        timeline.month_svg(service, policy, lang, claimant, claimed, f"{ids}-{frame.name}", frame, sums)
        for frame in (timeline.WIDE, timeline.NARROW)
    )


def waterfall_on_page(buckets: Mapping[str, Spans], policy: Policy, lang: Lang, ids: str = "kw") -> str:
    """The steps to what counts as a page shows them."""
    return "".join(
        waterfall.waterfall_svg(buckets, policy, lang, f"{ids}-{frame.name}", frame)
        for frame in (waterfall.WIDE, waterfall.NARROW)
    )
