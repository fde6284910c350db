"""From the settings to the partner and to the keys of the linked service; nothing is read before it is needed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from keizoku.extras import naming_the_extra
from keizoku.terms.refusal import Refused

if TYPE_CHECKING:
    import sqlalchemy as sa

    from keizoku.link.partner.http_partner import HttpPartner
    from keizoku.link.partner.port import Partner
    from keizoku.link.sealing.seals import KeyRing
    from keizoku.link.services.base import LinkSetup
    from keizoku.scheduler.settings import Settings

__all__ = ["link_setup_of", "simulated_setup"]


def link_setup_of(settings: Settings, engine: sa.Engine) -> LinkSetup:
    """How the partner is reached and where the keys are. Raises MissingExtraError."""
    with naming_the_extra():
        from keizoku.link.services.base import LinkSetup

    @cache
    def partner() -> Partner:
        return _partner(settings, engine)

    @cache
    def ring() -> KeyRing:
        from keizoku.link.sealing.seals import read_key_ring

        if settings.link_key_file is None:
            raise Refused(
                "link.no_keys", "no key file is set", "set KEIZOKU_LINK_KEY_FILE; `keizoku link key` makes one"
            )
        return read_key_ring(settings.link_key_file)

    return LinkSetup(partner, ring, settings.link_consent_days, settings.link_calls_at_once)


def _partner(settings: Settings, engine: sa.Engine) -> Partner:
    if settings.link_partner == "none":
        raise Refused("link.no_partner", "no partner is set", "set KEIZOKU_LINK_PARTNER and where it is")
    if settings.link_partner == "simulated":
        from keizoku.link.partner.simulated import SimulatedPartner

        return SimulatedPartner(engine)
    from keizoku.link.partner.http_partner import HttpPartner, ResourcePlace
    from keizoku.link.partner.oauth import OAuthPlace

    needed = ("link_authorize_url", "link_token_url", "link_api_base", "link_client_id")
    missing = [name for name in needed if not getattr(settings, name)]
    if missing:
        raise Refused(
            "link.no_partner", f"the partner is not described: KEIZOKU_{missing[0].upper()} is empty", "set it"
        )
    tokens = OAuthPlace(
        settings.link_authorize_url,
        settings.link_token_url,
        settings.link_revoke_url or None,
        settings.link_client_id,
        _secret(settings.link_client_secret_file),
        _secret(settings.link_private_key_file),
        settings.link_key_id,
        settings.link_key_algorithm,
        settings.link_scope_data,
        settings.link_scope_orders,
        settings.link_timeout_seconds,
    )
    place = ResourcePlace(
        settings.link_api_base,
        settings.link_calls_per_second,
        settings.link_orders_per_second,
        settings.link_account_type,
        settings.link_reference_field,
        settings.link_timeout_seconds,
    )
    with _SHARED_BY:
        partner = _SHARED.get((place, tokens))
        if partner is None:
            partner = _SHARED[place, tokens] = HttpPartner(place, tokens)
        return partner


_SHARED: dict[tuple[object, object], HttpPartner] = {}
"""One for each place: all work of a process keeps one pace there, and shares its connections."""
_SHARED_BY = Lock()


def _secret(file: Path | None) -> str:
    """What a file holds and nothing else; its owner alone may read it. Raises Refused."""
    if file is None:
        return ""
    try:
        if file.stat().st_mode & 0o077:
            raise Refused("link.keys", f"{file}: others may read it", "give it to its owner alone: chmod 600")
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("link.keys", f"{file}: it cannot be read ({type(error).__name__})", "name another file") from None


def simulated_setup(engine: sa.Engine) -> LinkSetup:
    """The simulated partner, and a key that is nobody's: for scenarios and the demo, whose databases hold no secret."""
    with naming_the_extra():
        from keizoku.link.partner.simulated import SimulatedPartner
        from keizoku.link.sealing.seals import KeyRing
        from keizoku.link.services.base import LinkSetup

    partner, ring = SimulatedPartner(engine), KeyRing("scenario", {"scenario": bytes(32)})
    return LinkSetup(lambda: partner, lambda: ring)
