"""The settings of documents: who issues them, how they are drawn."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, field_validator

from keizoku.billing.documents.addressees import SealingKeys
from keizoku.billing.rules.documents.issuer import Issuer, issuer_changes, registrations

__all__ = ["DocumentSettings"]


class DocumentSettings(BaseModel):
    """The part of the settings that is about documents."""

    issuer_name: str = Field(default="", description="who issues our documents, as it stands on them")
    issuer_address: str = Field(default="", description="the issuer's address, as it stands on documents")
    issuer_changes: tuple[str, ...] = Field(
        default=(),
        description="other names and addresses of the issuer, each first day/name/address, one of them may be empty: "
        "2027-04-01/新継続株式会社/; documents of days before keep the old",
    )
    issuer_contact: str = Field(default="", description="whom users ask, as it stands on letters: a number, an address")
    issue_documents: bool = Field(
        default=True,
        description="the worker stores each invoice and due credit note as issued once the night is done; False: "
        "people do (`keizoku documents issue`)",
    )
    issuer_registrations: tuple[str, ...] = Field(
        default=(),
        description="registration numbers of the invoice system, each number/first day[/day after the last]: "
        "T8010601046367/2023-10-01; without one in force no document is a qualified invoice",
    )
    directory: str = Field(
        default="",
        description="who knows names and postal addresses of users: module:function, https://host/path, or a CSV file; "
        "asked as documents are printed; empty: documents name the account",
    )
    directory_token_file: Path | None = Field(
        default=None, description="a file that holds the bearer token for that address and nothing else"
    )
    document_keys_file: Path | None = Field(
        default=None,
        description="a file of keys outside the database, a line each, the newest first: names on stored documents are "
        "sealed with them (`keizoku documents new-key`)",
    )
    document_font: Path | None = Field(
        default=None,
        description="a TrueType font with Japanese to put into PDF documents; empty: IPAex Gothic where Debian's "
        "fonts-ipaexfont-gothic is installed, else the reader's own Japanese font",
    )

    @field_validator("issuer_registrations")
    @classmethod
    def _registered(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        registrations(texts)
        return texts

    @field_validator("issuer_changes")
    @classmethod
    def _changed(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        issuer_changes(texts)
        return texts

    def sealing_keys(self) -> SealingKeys | None:
        """The keys of names on documents; None where no file is set. Refused for a file that holds none."""
        return None if self.document_keys_file is None else SealingKeys.read(self.document_keys_file)

    def issuer(self) -> Issuer:
        """Who issues our documents."""
        return Issuer(
            self.issuer_name,
            self.issuer_address,
            registrations(self.issuer_registrations),
            self.issuer_contact,
            issuer_changes(self.issuer_changes),
        )
