"""The billing desk: every act of people and of other systems, in one place for callers.

Acts on a contract are in `billing.contract_desk`, what people rule against one in `billing.default_desk`, plans and
prices in `billing.price_desk`, acts on money in `billing.money_desk`, coupons and product keys in `billing.code_desk`,
recorded acts of the operator in `billing.act_desk`, saved cards in `billing.card_desk`.
"""

from dataclasses import dataclass

from billing.act_desk import ActDesk
from billing.card_desk import CardDesk
from billing.code_desk import CodeDesk
from billing.default_desk import DefaultDesk
from billing.money_desk import MoneyDesk
from billing.price_desk import PriceDesk


@dataclass(frozen=True, slots=True)
class BillingDesk(CodeDesk, CardDesk, DefaultDesk, PriceDesk, MoneyDesk, ActDesk):
    """Every act on contracts, prices and money, on one session, under the rules, with a gateway for cards."""
