"""The chart of accounts: practice rather than law, a default for an accountant to change."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccountType(StrEnum):
    """Where an account stands in the statements."""

    ASSET = "asset"  # balance sheet, debit balance
    CONTRA_ASSET = "contra-asset"  # reduces an asset
    LIABILITY = "liability"  # balance sheet, credit balance
    REVENUE = "revenue"  # income statement, credit balance
    CONTRA_REVENUE = "contra-revenue"  # reduces revenue
    EXPENSE = "expense"  # income statement, debit balance


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the chart."""

    code: str
    ja: str
    en: str
    type: AccountType

    @property
    def on_balance_sheet(self) -> bool:
        """Whether its balance goes on into the next year."""
        return self.type in (AccountType.ASSET, AccountType.CONTRA_ASSET, AccountType.LIABILITY)


CHART: tuple[Account, ...] = (
    Account("1110", "普通預金", "Bank", AccountType.ASSET),
    Account("1131", "決済代行未収金", "Processor clearing", AccountType.ASSET),
    Account("1132", "係争中債権", "Disputed receivable", AccountType.ASSET),
    Account("1133", "ストア未収金", "App-store receivable", AccountType.ASSET),
    Account("1140", "売掛金", "Accounts receivable", AccountType.ASSET),
    Account("1150", "未収遅延損害金", "Late interest receivable", AccountType.ASSET),
    Account("1180", "仮払消費税等", "Input tax", AccountType.ASSET),
    Account("1190", "貸倒引当金", "Allowance for doubtful accounts", AccountType.CONTRA_ASSET),
    Account("2120", "契約負債", "Contract liability (fees received or billed in advance)", AccountType.LIABILITY),
    Account("2125", "契約負債-プロダクトキー", "Product-key liability", AccountType.LIABILITY),
    Account("2130", "返金負債", "SLA credit liability", AccountType.LIABILITY),
    Account("2140", "預り金", "Customer deposits (overpayments)", AccountType.LIABILITY),
    Account("2145", "仮受金", "Unidentified receipts", AccountType.LIABILITY),
    Account("2170", "仮受消費税等", "Output tax", AccountType.LIABILITY),
    Account("4110", "利用料売上", "Subscription revenue", AccountType.REVENUE),
    Account("4190", "売上値引", "SLA reductions", AccountType.CONTRA_REVENUE),
    Account("6110", "支払手数料(非課税)", "Processor fees (exempt)", AccountType.EXPENSE),
    Account("6111", "支払手数料(課税)", "Processor fees (taxable)", AccountType.EXPENSE),
    Account("6112", "不審請求手数料", "Dispute fees", AccountType.EXPENSE),
    Account("6190", "貸倒損失", "Bad debt", AccountType.EXPENSE),
    Account("6191", "貸倒引当金繰入", "Provision for doubtful accounts", AccountType.EXPENSE),
    Account("7110", "受取遅延損害金", "Late interest income", AccountType.REVENUE),
    Account("7120", "雑収入", "Other income (expired keys, recovered costs)", AccountType.REVENUE),
)
