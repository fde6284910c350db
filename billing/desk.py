"""The billing desk: every act of people and of other systems, in one place for callers.

Acts on a contract are in `billing.contract_desk`, what people rule against one in `billing.default_desk`, acts on money
in `billing.money_desk`, on coupons and product keys in `billing.code_desk`.
"""

from dataclasses import dataclass

from billing.code_desk import CodeDesk
from billing.contract_desk import ContractDesk
from billing.default_desk import DefaultDesk
from billing.money_desk import MoneyDesk


@dataclass(frozen=True, slots=True)
class BillingDesk(CodeDesk, ContractDesk, DefaultDesk, MoneyDesk):
    """Every act on contracts and money, on one session, under the rules, with a gateway for cards."""
