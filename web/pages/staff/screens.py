"""Every screen of the console, imported so that it is declared."""

from keizoku.web.pages.staff.money import invoices
from keizoku.web.pages.staff.operations import proposals, tasks, today
from keizoku.web.pages.staff.people import account, letters
from keizoku.web.pages.staff.sla import claims, months

__all__ = ["account", "claims", "invoices", "letters", "months", "proposals", "tasks", "today"]
