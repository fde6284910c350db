"""The billing service: every act of people and of other systems, in one place for callers.

Acts on a contract are in `contracts`, what people rule against one in `defaults`, plans and
prices in `prices`, acts on money in `money`, coupons and product keys in `codes`,
recorded acts of the operator in `billing.services.operator_acts`, saved cards in `billing.services.cards`.
"""

from dataclasses import dataclass

from keizoku.billing.services.cards import CardService
from keizoku.billing.services.codes import CodeService
from keizoku.billing.services.defaults import DefaultService
from keizoku.billing.services.money import MoneyService
from keizoku.billing.services.operator_acts import OperatorActService
from keizoku.billing.services.prices import PriceService


@dataclass(frozen=True, slots=True)
class BillingService(CodeService, CardService, DefaultService, PriceService, MoneyService, OperatorActService):
    """Every act on contracts, prices and money, on one session, under the rules, with a gateway for cards."""
