"""The billing desk: every act of people and of other systems, in one place for callers.

Acts on a contract are in `contracts`, what people rule against one in `defaults`, plans and
prices in `prices`, acts on money in `money`, coupons and product keys in `codes`,
recorded acts of the operator in `billing.services.operator_acts`, saved cards in `billing.services.cards`.
"""

from dataclasses import dataclass

from keizoku.billing.services.cards import CardDesk
from keizoku.billing.services.codes import CodeDesk
from keizoku.billing.services.defaults import DefaultDesk
from keizoku.billing.services.money import MoneyDesk
from keizoku.billing.services.operator_acts import ActDesk
from keizoku.billing.services.prices import PriceDesk


@dataclass(frozen=True, slots=True)
class BillingDesk(CodeDesk, CardDesk, DefaultDesk, PriceDesk, MoneyDesk, ActDesk):
    """Every act on contracts, prices and money, on one session, under the rules, with a gateway for cards."""
