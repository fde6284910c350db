"""The settings of webhooks: the keys of secrets, which hosts may be reached, how long an answer may take."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from pydantic import BaseModel, Field, field_validator

__all__ = ["WebhookSettings"]

_HOST: Final = re.compile(r"[A-Za-z0-9_.-]+(:\d{1,5})?|[0-9A-Fa-f:]+", re.ASCII)


class WebhookSettings(BaseModel):
    """The part of the settings that is about events that are sent to endpoints."""

    webhook_key_file: Path | None = Field(
        default=None,
        description="the keys that secrets of endpoints are sealed under, a file as for `keizoku link key`; with it "
        "the worker sends events",
    )
    webhook_allowed_hosts: tuple[str, ...] = Field(
        default=(),
        description="hosts (name, or name:port) that events may be sent to although they are not public, also by http",
    )
    webhook_timeout_seconds: float = Field(
        default=20, ge=1, le=30, description="how long an endpoint has to answer, as a whole"
    )

    @field_validator("webhook_allowed_hosts")
    @classmethod
    def _hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for written in hosts:
            if not _HOST.fullmatch(written):
                raise ValueError(f"{written!r} has to be a host as name or name:port, without https://, path or *")
        return hosts
