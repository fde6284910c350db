"""What people confirmed of a payer, by the name under which the bank shows it. The newest rule of a name holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import distinct_on

from keizoku.billing.rules.bank.names import without_numbers
from keizoku.db.roles import want_to_add
from keizoku.db.session import Session, texts
from keizoku.db.tables.bank import payer_rule
from keizoku.terms.refusal import Refused

BY_US: Final = "keizoku"  # who ended a rule that a payment contradicts


@dataclass(frozen=True, slots=True)
class PayerRule:
    """What people confirmed of a payer: `says` member (of `account`), payout, store_payout, fee or transfer."""

    id: int
    folded: str
    says: str
    account: str | None
    author: str
    ground: str

    def listed(self) -> dict[str, object]:
        """As a row of the list of rules."""
        return {
            "id": self.id, "payer": self.folded, "is": self.says, "account": self.account, "author": self.author,
        }  # fmt: skip


def rules_of(session: Session, folded_names: set[str]) -> dict[str, PayerRule]:
    """The rules in force for these names, by name."""
    wanted = sorted(name for name in folded_names if name)
    if not wanted:
        return {}
    query = (
        sa.select(payer_rule)
        .ext(distinct_on(payer_rule.c.folded))
        .where(payer_rule.c.folded == sa.any_(texts(wanted)))
        .order_by(payer_rule.c.folded, payer_rule.c.id.desc())
    )
    return {
        row.folded: PayerRule(row.id, row.folded, row.says, row.account, row.author, row.ground)
        for row in session.execute(query)
        if row.says != "withdrawn"
    }


def keep_rule(session: Session, payer: str, says: str, account: str | None, by: str, ground: str, now: datetime) -> int:
    """Confirm a rule of a payer's name, or withdraw it; the rule's id. Does not commit."""
    name = without_numbers(payer)
    if len(name) < 2:
        raise Refused("transfer.no_name", f"the bank shows no name of the payer ({payer!r}) that a rule could be of")
    values = {"folded": name, "says": says, "account": account, "author": by, "ground": ground, "recorded_at": now}
    return int(session.execute(sa.insert(payer_rule).values(values).returning(payer_rule.c.id)).scalar_one())


def contradicted(session: Session, rule: PayerRule, account: str, now: datetime) -> None:
    """A payment under the rule's name is another account's: two people have the name, and the rule ends.

    Does not commit.
    """
    ground = f"a payment under this name is {account}'s, so it is a name of several"
    values = {"folded": rule.folded, "says": "withdrawn", "account": None, "author": BY_US, "ground": ground}
    session.execute(sa.insert(payer_rule).values({**values, "recorded_at": now}))


def every_rule(session: Session) -> list[PayerRule]:
    """The rules in force, by name."""
    query = (
        sa.select(payer_rule)
        .ext(distinct_on(payer_rule.c.folded))
        .order_by(payer_rule.c.folded, payer_rule.c.id.desc())
    )
    return [
        PayerRule(row.id, row.folded, row.says, row.account, row.author, row.ground)
        for row in session.execute(query)
        if row.says != "withdrawn"
    ]


def withdraw_rule(session: Session, rule_id: int, by: str, ground: str, now: datetime) -> None:
    """A rule holds no more. Commits. Refused for one that is not in force."""
    want_to_add(session, payer_rule)
    found = next((each for each in every_rule(session) if each.id == rule_id), None)
    if found is None:
        session.rollback()
        raise Refused("transfer.no_rule", f"there is no rule {rule_id} in force", "(see `keizoku bank rules`)")
    values = {
        "folded": found.folded, "says": "withdrawn", "account": None, "author": by, "ground": ground,
        "recorded_at": now,
    }  # fmt: skip
    session.execute(sa.insert(payer_rule).values(values))
    session.commit()
