"""The settings of webhooks: the keys of secrets, which hosts may be reached, how long an answer may take."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

__all__ = ["WebhookSettings"]


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
