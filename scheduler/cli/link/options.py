"""What several commands of the linked service are given."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from keizoku.scheduler.cli.shared.ids import numbered
from keizoku.scheduler.cli.shared.language import both

__all__ = ["At", "By", "Order", "Scope", "Stop"]


class Scope(StrEnum):
    """What a customer authorises."""

    DATA = "data"
    ORDERS = "orders"


At = Annotated[
    str,
    typer.Option(
        "--at",
        help=both(
            "When it happened, JST unless it has an offset. Default: now.",
            "起きた時刻。時差の指定がなければ日本時間。省略すると現在。",
        ),
    ),
]
By = Annotated[str, typer.Option("--ground", help=both("Why.", "理由。"))]
Order = Annotated[
    int,
    typer.Argument(metavar="ORDER", parser=numbered("order", "注文"), help=both("The order's number.", "注文の番号。")),
]
Stop = Annotated[
    int,
    typer.Argument(metavar="STOP", parser=numbered("stop", "停止"), help=both("The stop's number.", "停止の番号。")),
]
