"""A customer who may be linked, the simulated partner, and keys; for tests of the linked service."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import sqlalchemy as sa

from keizoku.db.session import Session
from keizoku.link.partner.port import Partner
from keizoku.link.partner.simulated import SimulatedPartner, code_of
from keizoku.link.sealing.seals import KeyRing
from keizoku.link.services.base import LinkSetup
from keizoku.link.services.link_service import LinkService
from keizoku.terms.calendar import parse_instant
from keizoku.terms.discretion import Discretion
from keizoku.terms.policy import Terms
from keizoku.terms.rules import Rules

NOW: Final = parse_instant("2026-04-01 10:00")
BACK: Final = "https://app.example/linked"
RING: Final = KeyRing("k1", {"k1": bytes(range(32))})
BY: Final[dict[str, Any]] = {"by": "desk", "ground": "seen"}
FIELDS: Final = ("positions.Symbol", "positions.LeavesQty", "balance.StockAccountWallet")


def service_on(session: Session, partner: Partner, ring: KeyRing = RING, **more: Any) -> LinkService:
    """The service on a session, with a partner."""
    consent_days = more.pop("consent_days", 0)
    rules = Rules(Terms.load("premium"), Discretion(**more))
    return LinkService(session, rules, LinkSetup(lambda: partner, lambda: ring, consent_days))


@contextmanager
def linked_house(engine: sa.Engine, **more: Any) -> Iterator[tuple[LinkService, SimulatedPartner]]:
    """A service and its simulated partner on a database."""
    partner = SimulatedPartner(engine)
    with engine.connect() as session:
        yield service_on(session, partner, **more), partner


def admit(link: LinkService, account: str, now: datetime = NOW) -> None:
    """All conditions of use but the grant are met."""
    link.record_fact(account, "partner_account_opened", by="desk", now=now)
    link.record_fact(account, "rules_consented", rules_version="2026-01", by="desk", now=now)
    for clause in ("4.3", "4.4", "4.5"):
        link.rule(account, clause, met=True, now=now, **BY)


def grant(link: LinkService, account: str, wanted: Literal["data", "orders"] = "data", now: datetime = NOW) -> int:
    """The customer authorises us at the simulated partner."""
    begun = link.begin(account, wanted, BACK, now=now)
    return link.finish(begun.state, code_of(account), now=now)


def designate(
    link: LinkService, fields: Sequence[str] = FIELDS, products: Sequence[str] = ("1306",), now: datetime = NOW
) -> None:
    """Some fields and products are designated."""
    for kind, names in (("field", fields), ("product", products)):
        for name in names:
            link.designate(kind, name, now=now, **BY)


def confirmed_order(link: LinkService, account: str, product: str = "1306", now: datetime = NOW, **more: Any) -> int:
    """An order that its customer has confirmed."""
    number = link.draft_order(account, product, "buy", 10, now=now, **more)
    link.confirm_order(number, link.order_texts(number, now=now)["ja"].digest, now=now)
    return number


def rows(link: LinkService, table: sa.Table, account: str) -> list[sa.Row[Any]]:
    """The account's rows, in order."""
    found = link.session.execute(sa.select(table).where(table.c.account == account).order_by(table.c.id)).all()
    link.session.rollback()
    return list(found)


def everything_in(session: Session) -> str:
    """All rows of all tables, as text: to look for what must be nowhere."""
    from keizoku.db.tables import metadata

    return "\n".join(
        str(tuple(row)) for table in metadata.sorted_tables for row in session.execute(sa.select(table)).all()
    )


def key_file_in(folder: Path) -> Path:
    """A file of one key, as its owner alone may read it."""
    file = folder / "keys"
    file.write_text(f"{KEY_LINE}\n", encoding="ascii")
    file.chmod(0o600)
    return file


def later(seconds: float = 0, **more: float) -> datetime:
    """So long after NOW."""
    return NOW + timedelta(seconds=seconds, **more)


DAY: Final = date(2026, 4, 1)
KEY_LINE: Final = f"k1 = {base64.b64encode(bytes(range(32))).decode()}"
