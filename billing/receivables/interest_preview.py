"""Late interest on any day, past or to come, without saving anything (premium/5.2).

    a past day      the debts as they stood then, as far as is known now
    today, later    the debts as they stand, if nothing more is paid

Decides nothing: keizoku.billing.rules.late_interest does. Read only.
"""

from datetime import date

from keizoku.billing.receivables.interest_bookings import interest_booked, workings_of
from keizoku.billing.receivables.of_account import want_account
from keizoku.billing.receivables.open_items import open_items_on
from keizoku.billing.rules.documents.late_interest_statement import Workings
from keizoku.db.account_reads import noted
from keizoku.db.session import Session
from keizoku.terms.policy import UncoveredDateError
from keizoku.terms.refusal import Refused
from keizoku.terms.rules import Rules


def preview(session: Session, rules: Rules, account: str, on: date) -> Workings:
    """The interest that the account owes through `on`, with the workings of every debt.

    Raises Refused for an account that is not known, or a day that no terms cover.
    """
    noted(account, "preview_interest")
    want_account(session, account)
    try:
        unpaid = open_items_on(session, rules, account, on)
        return workings_of(account, unpaid, rules, on, max(0, interest_booked(session, account, on)))
    except UncoveredDateError as error:
        raise Refused("terms.not_in_force", str(error)) from None
