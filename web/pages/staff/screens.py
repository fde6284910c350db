"""Every screen of the console, imported so that it is declared."""

from keizoku.web.pages.staff.books import close, ledger, work
from keizoku.web.pages.staff.money import bank, bank_files, documents, explained, gateway, invoices
from keizoku.web.pages.staff.operations import administration, nights, prices, proposals, search, tasks, terms, today
from keizoku.web.pages.staff.people import account, applications, codes, letters, links
from keizoku.web.pages.staff.sla import claims, months, outages, replay

__all__ = [
    "account", "administration", "applications", "bank", "bank_files", "claims", "close", "codes", "documents",
    "explained", "gateway", "invoices", "ledger", "letters", "links", "months", "nights", "outages", "prices",
    "proposals", "replay", "search", "tasks", "terms", "today", "work",
]  # fmt: skip
