"""The settings of the linked service: who the partner is, where it answers, where the keys are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, Field, field_validator

__all__ = ["LinkSettings"]

_SAFE: Final = re.compile(r"https://[^\s/@?#]+[^\s?#]*|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?[^\s?#]*")
_URLS: Final = ("link_authorize_url", "link_token_url", "link_revoke_url", "link_api_base")


class LinkSettings(BaseModel):
    """The part of the settings that is about the linked service."""

    link_partner: Literal["none", "simulated", "http"] = Field(
        default="none", description="the partner of the linked service: none, simulated (ours), or http"
    )
    link_key_file: Path | None = Field(
        default=None, description="the keys that tokens are sealed under, one a line; its owner alone may read it"
    )
    link_authorize_url: str = Field(default="", description="where the partner lets customers authorise us (OAuth 2.0)")
    link_token_url: str = Field(default="", description="where it issues tokens")
    link_revoke_url: str = Field(
        default="", description="where it revokes them (RFC 7009); empty: it has no such place"
    )
    link_api_base: str = Field(default="", description="where its resources are: its address without a last slash")
    link_client_id: str = Field(default="", description="who we are at the partner")
    link_client_secret_file: Path | None = Field(
        default=None, description="a file with our secret there; not needed with a private key"
    )
    link_private_key_file: Path | None = Field(
        default=None, description="a file with our private key (PEM): we sign in by private_key_jwt (RFC 7523)"
    )
    link_key_id: str = Field(
        default="", max_length=200, description="under which id the partner has its public half (kid); empty: none"
    )
    link_key_algorithm: Literal["PS256", "RS256"] = Field(
        default="PS256", description="how an RSA key signs; a P-256 key signs by ES256"
    )
    link_scope_data: str = Field(default="data", min_length=1, description="the partner's word for access to data")
    link_scope_orders: str = Field(default="orders", min_length=1, description="its word for access to orders")
    link_consent_days: int = Field(
        default=0, ge=0, le=3_650, description="days after which the partner lets an access lapse; 0: it names no end"
    )
    link_calls_per_second: float = Field(
        default=10, gt=0, le=1_000, description="how many calls a second the partner is asked at most, orders aside"
    )
    link_orders_per_second: float = Field(
        default=5, gt=0, le=1_000, description="how many orders a second are passed on at most"
    )
    link_calls_at_once: int = Field(default=8, ge=1, le=64, description="how many renewals are under way at once")
    link_timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="how long a call waits before its outcome counts as unknown"
    )
    link_account_type: Literal[2, 4, 12] = Field(
        default=4, description="the kind of the customers' accounts at the partner: 2 general, 4 specified, 12 company"
    )
    link_reference_field: str = Field(
        default="", description="the field in which it takes and lists our reference of an order; empty: it has none"
    )

    @field_validator(*_URLS)
    @classmethod
    def _safe(cls, address: str) -> str:
        if address and not _SAFE.fullmatch(address):
            raise ValueError(
                "has to be https:// (http:// only to this machine), without a login, a query or a fragment"
            )
        return address.rstrip("/")
