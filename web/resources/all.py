"""Every resource, in the order in which a newcomer meets them."""

from typing import Final

from keizoku.web.calls.operation import Resource
from keizoku.web.resources.accounts import accounts
from keizoku.web.resources.contracts import contracts
from keizoku.web.resources.proposals import proposals
from keizoku.web.resources.system import router as SYSTEM  # noqa: N812 - the one router that is no resource
from keizoku.web.resources.tasks import tasks

__all__ = ["RESOURCES", "SYSTEM"]

RESOURCES: Final[tuple[Resource, ...]] = (accounts, contracts, tasks, proposals)
