"""The operator's settings: each a variable KEIZOKU_<NAME>, or a line of the TOML file KEIZOKU_SETTINGS_FILE.

The variable wins over the file, the file over the default. What the contract leaves to the operator is
declared in `keizoku.terms.discretion`; here are the settings of the machine, and where all of them are read.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from keizoku.billing.gateway.port import BANK_NAMES
from keizoku.limits import SCHEMA_NAME
from keizoku.scheduler.addresses import masked
from keizoku.scheduler.document_settings import DocumentSettings
from keizoku.scheduler.door_settings import DoorSettings
from keizoku.scheduler.link_settings import LinkSettings
from keizoku.scheduler.mail_settings import MailSettings
from keizoku.scheduler.night_settings import NightSettings
from keizoku.scheduler.webhook_settings import WebhookSettings
from keizoku.terms.discretion import Discretion
from keizoku.terms.inputs.input_files import SecretFileError, read_whole, secret_in
from keizoku.terms.own_versions import with_own_versions
from keizoku.terms.policy import Terms, UnknownReadingError
from keizoku.terms.rules import Rules

__all__ = ["SettingLine", "Settings", "SettingsError", "load_settings"]

PREFIX = "KEIZOKU_"
FILE_VARIABLE = "KEIZOKU_SETTINGS_FILE"
FOR_TESTS = "KEIZOKU_TEST_"
_MASK = "**********"
SECRET = ("database_url", "stripe_secret_key")


class SettingsError(Exception):
    """A setting cannot be used; the message names the variable, the value and the rule."""


class SettingLine(NamedTuple):
    """One setting as `keizoku settings` shows it."""

    name: str
    variable: str
    value: object
    default: object
    source: Literal["default", "file", "environment"]
    meaning: str
    clause: str | None


class _Variables(EnvSettingsSource):
    """Variables; lists and tables are JSON, or as people write them: 3,5,7 and name=choice,name=choice."""

    def prepare_field_value(self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool) -> Any:
        if not (isinstance(value, str) and self.field_is_complex(field)):
            return value
        if value.lstrip().startswith(("[", "{")):
            try:
                return json.loads(value)
            except (ValueError, RecursionError) as error:
                shown = _without_logins(field_name, value)
                raise SettingsError(f"{_variable(field_name)}={shown:.80}: not JSON: {error}") from error
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if field_name != "readings":
            return parts
        pairs = [part.partition("=") for part in parts]
        if not all(sign for _, sign, _ in pairs):
            raise SettingsError(f"{_variable(field_name)}={value}: has to be name=choice,name=choice")
        return {name.strip(): choice.strip() for name, _, choice in pairs}


class Settings(
    Discretion, MailSettings, DocumentSettings, LinkSettings, DoorSettings, NightSettings, WebhookSettings, BaseSettings
):
    """All settings; those of the contract's discretion are inherited."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True)

    lang: Literal["ja", "en"] | None = Field(
        default=None, description="the language of the command line, ja or en; empty: the locale's, else English"
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="a PostgreSQL server (postgresql://user@host/database); empty: the embedded one",
    )
    database_schema: str = Field(
        default="public",
        pattern=f"^{SCHEMA_NAME.pattern}$",
        description="the schema of that database in which the tables lie, for the library as for every command",
    )
    data_dir: Path | None = Field(
        default=None, description="folder of the embedded database; empty: the user's data folder"
    )
    gateway: Literal["simulated", "stripe"] = Field(default="simulated", description="who charges cards")
    stripe_secret_key: SecretStr | None = Field(default=None, description="the secret key of the account at Stripe")
    stripe_secret_key_file: Path | None = Field(
        default=None, description="a file that holds that key and nothing else; wins over the key itself"
    )
    stripe_publishable_key: str = Field(
        default="",
        pattern=r"^(pk_(test|live)_[A-Za-z0-9]{1,200})?$",
        description="the publishable key of that account: members save a card on their own pages; empty: on the host's",
    )
    stripe_webhook_secret_file: Path | None = Field(
        default=None,
        description="a file that holds the signing secret (whsec_…) of our endpoint at Stripe, /v1/webhooks/stripe",
    )
    stripe_api_base: str | None = Field(
        default=None, description="address of a server that speaks like Stripe, for tests; empty: Stripe itself"
    )
    stripe_calls_per_second: float = Field(
        default=80, gt=0, le=1_000, description="how many calls a second Stripe is asked at most"
    )
    stripe_calls_per_second_endpoint: float = Field(
        default=25,
        gt=0,
        le=1_000,
        description="how many of them on one endpoint at most: Stripe's limit, unless it has raised the account's",
    )
    stripe_calls_at_once: int = Field(default=16, ge=1, le=256, description="how many calls are under way at once")
    stripe_timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="how long a call waits before its outcome counts as unknown"
    )
    simulated_fee_per_mille: int = Field(
        default=0, ge=0, le=500, description="what the simulated gateway keeps of a charge, in thousandths"
    )
    night_jobs: int = Field(
        default=1, ge=1, le=64, description="how many processes share a night's contracts (docs/how-to/scale.md)"
    )
    clock_ahead_seconds: int = Field(
        default=300,
        ge=1,
        le=86_400,
        description="how far this machine's clock may be ahead of the database's and the gateway's, in seconds",
    )
    most_missed_nights: int = Field(
        default=7, ge=0, description="how many missed nights are caught up without a person's word (night --catch-up)"
    )
    lock_timeout_seconds: int = Field(
        default=60, ge=1, le=3_600, description="how long a night or a worker's job waits for a lock, in seconds"
    )
    spark_master: str = Field(
        default="local[*]",
        min_length=1,
        description="where `--engine spark` counts: local[*] (this machine), spark://host:7077, yarn",
    )
    processor_bank_names: tuple[str, ...] = Field(
        default=BANK_NAMES,
        description="names of the card processor in the bank's lines; a payer that has one of them in it, whatever the "
        "width and case of its letters, is the processor",
    )
    bank_accounts: tuple[str, ...] = Field(
        default=(),
        description="our accounts at banks, as `keizoku bank balance` names them (0005-001-1-1234567); a file of "
        "another one is a finding and is not taken; empty: any account is taken",
    )
    transfer_payer: str = Field(
        default="",
        description="which account of ours pays transfers out, as code/bank-branch-kind-number/name in kana: "
        "1234567890/0005-001-1-1234567/ｶ)ｹｲｿﾞｸ; the code is the one that the bank gave",
    )
    export_summary: Literal["entry", "document", "day", "month"] = Field(
        default="entry",
        description="what becomes one entry of a file for an accounting package: each of ours, or those of a document, "
        "a day or a month (`keizoku export --summary`)",
    )
    terms_dir: Path | None = Field(
        default=None,
        description="folder (or file) with own versions of the premium terms; checked as by `keizoku terms check`",
    )
    screening: str = Field(
        default="people",
        description="who screens applications: people, a rule as module:function, or an entry point's name",
    )
    notices_url: str = Field(
        default="",
        description="where our calendar of maintenance stands; the worker fetches it back every hour, as a proof",
    )
    collect_file: Path | None = Field(
        default=None,
        description="a TOML file with the monitors that the worker asks for counts (docs/how-to/evidence.md)",
    )
    backup_stores: tuple[str, ...] = Field(
        default=(),
        description="where backups go, three places or more, one far away: folders, s3://bucket/folder, …",
    )
    backup_recipients: tuple[str, ...] = Field(
        default=(), description="public keys of age (age1…) that backups are encrypted for"
    )
    backup_identity_file: Path | None = Field(
        default=None, description="file with the secret key of age: for verify and restore only, not on the worker"
    )
    backup_timeout_seconds: int = Field(
        default=120, ge=1, le=3_600, description="after how many silent seconds a place for backups does not answer"
    )
    backup_keep_days: int = Field(default=30, ge=7, description="days for which every backup is kept")
    backup_keep_months: int = Field(default=12, ge=0, description="months of which the first backup is kept")
    backup_at_hour: int = Field(default=4, ge=0, le=23, description="hour (JST) from which the worker makes the day's")
    readings: dict[str, str] = Field(
        default_factory=dict,
        description="choices where the text leaves a question open, by name; see `keizoku terms readings`",
    )

    @field_validator("processor_bank_names")
    @classmethod
    def _names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() and name.isprintable() for name in names):
            raise ValueError("a name has letters, and no control characters")
        return names

    @field_validator("notices_url")
    @classmethod
    def _can_be_fetched(cls, address: str) -> str:
        if address and not address.startswith(("https://", "http://")):
            raise ValueError("has to begin with https:// or http://")
        return address

    @field_validator("transfer_payer")
    @classmethod
    def _payer(cls, written: str) -> str:
        if written:
            from keizoku.billing.statements.transfer_file import payer_of

            payer_of(written)
        return written

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Overrides of the caller, then variables, then the file."""
        in_file = InitSettingsSource(settings_cls, init_kwargs=_file_values())
        return init_settings, _Variables(settings_cls, env_ignore_empty=True), in_file

    def stripe_key(self) -> str:
        """The secret key of the account at Stripe. Raises SettingsError where none can be had."""
        if self.stripe_secret_key_file is not None:
            return _secret_of("stripe_secret_key_file", self.stripe_secret_key_file, "key")
        if self.stripe_secret_key is None:
            raise SettingsError(
                f"{_variable('gateway')}=stripe needs {_variable('stripe_secret_key_file')} or "
                f"{_variable('stripe_secret_key')}"
            )
        return self.stripe_secret_key.get_secret_value()

    def stripe_webhook_secret(self) -> str | None:
        """The signing secret of our endpoint at Stripe; None: none is set. Raises SettingsError for a file without."""
        file = self.stripe_webhook_secret_file
        return None if file is None else _secret_of("stripe_webhook_secret_file", file, "secret")

    def discretion(self) -> Discretion:
        """The part that the contract leaves to the operator."""
        return Discretion(**{name: getattr(self, name) for name in Discretion.model_fields})

    def rules(self) -> Rules:
        """What is passed down: the terms with the chosen readings, and the discretion."""
        terms = Terms.load()
        if self.terms_dir is not None:
            terms, findings = with_own_versions(terms, self.terms_dir)
            if findings:
                more = f" (and {len(findings) - 1} more: `keizoku terms check`)" if len(findings) > 1 else ""
                raise SettingsError(f"{_variable('terms_dir')}={self.terms_dir}: {findings[0]}{more}")
        try:
            terms = terms.with_readings(self.readings)
        except UnknownReadingError as error:
            raise SettingsError(f"{_variable('readings')}: {error}") from error
        return Rules(terms, self.discretion())

    def own_letters(self) -> Mapping[str, Mapping[str, str]]:
        """The operator's own words for sentences of letters. Raises SettingsError."""
        if self.letters_dir is None:
            return {}
        from keizoku.scheduler.own_sentences import own_sentences

        own, findings = own_sentences(self.letters_dir)
        if findings:
            more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
            raise SettingsError(f"{_variable('letters_dir')}={self.letters_dir}: {findings[0]}{more}")
        return own

    def lines(self) -> list[SettingLine]:
        """Every setting in order, secrets masked."""
        in_file = _file_values()
        found = []
        for name, field in type(self).model_fields.items():
            variable = _variable(name)
            source: Literal["default", "file", "environment"] = "default"
            if os.environ.get(variable):
                source = "environment"
            elif name in in_file:
                source = "file"
            extra = field.json_schema_extra
            clause = extra.get("clause") if isinstance(extra, Mapping) else None
            found.append(
                SettingLine(
                    name,
                    variable,
                    _shown(_without_logins(name, getattr(self, name))),
                    _shown(field.get_default(call_default_factory=True, validated_data={})),
                    source,
                    field.description or "",
                    str(clause) if clause else None,
                )
            )
        return sorted(found, key=lambda line: line.clause is not None)


def load_settings() -> Settings:
    """The settings of this process; raises SettingsError with one line for a bad value or an unknown name."""
    known = {_variable(name) for name in Settings.model_fields} | {FILE_VARIABLE}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in known and not variable.startswith(FOR_TESTS):
            raise SettingsError(f"{variable} is no setting{_nearest(variable, known)}")
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_rule_broken(detail) for detail in error.errors())) from None


def _file_values() -> dict[str, Any]:
    """What the settings file says, if one is named."""
    named = os.environ.get(FILE_VARIABLE)
    if not named:
        return {}
    try:
        return tomllib.loads(read_whole(Path(named)).decode())
    except OSError as error:
        raise SettingsError(f"{FILE_VARIABLE}={named}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{FILE_VARIABLE}={named}: not TOML: {error}") from error
    except RecursionError:
        raise SettingsError(f"{FILE_VARIABLE}={named}: its lists are nested too deep") from None


def _rule_broken(detail: ErrorDetails) -> str:
    """Variable, value and rule of one thing that is wrong."""
    name = str(detail["loc"][0]) if detail["loc"] else "?"
    where = ".".join(str(part) for part in detail["loc"][1:])
    variable = _variable(name) + (f" ({where})" if where else "")
    if detail["type"] == "extra_forbidden":
        return f"{os.environ[FILE_VARIABLE]}: {name} is no setting{_nearest(name, Settings.model_fields)}"
    value = _MASK if name in SECRET else f"{_without_logins(name, detail['input'])!s:.200}"
    return f"{variable}={value}: {detail['msg'].removeprefix('Value error, ')}"


def _secret_of(name: str, file: Path, what: str) -> str:
    """The one secret of a setting's file. Raises SettingsError, which names the variable."""
    try:
        return secret_in(file, what)
    except SecretFileError as error:
        raise SettingsError(f"{_variable(name)}={file}: {error}") from error


def _variable(name: str) -> str:
    return PREFIX + name.upper()


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _without_logins(name: str, value: object) -> object:
    """Addresses of places for backups may have a login in them: a list of them, or a text that was to be one."""
    if name != "backup_stores":
        return value
    if isinstance(value, list | tuple):
        return tuple(masked(each) if isinstance(each, str) else _MASK for each in value)
    return masked(value) if isinstance(value, str) else _MASK


def _shown(value: object) -> object:
    """A value as people may see it: secrets masked, a list without brackets of Python."""
    if isinstance(value, SecretStr):
        return _MASK
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value
