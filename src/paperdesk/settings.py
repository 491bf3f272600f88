"""Settings: read once from the environment and `.env`, frozen for the life of an app."""

import os
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from paperdesk.errors import SettingsError

SQLITE = "sqlite+aiosqlite:///"
POSTGRESQL = "postgresql+asyncpg://"
_ENCODED = "Write : / ? # [ ] @ in a password as %3A %2F %3F %23 %5B %5D %40."


def data_folder() -> Path:
    """Return the user's data folder for Paperdesk (XDG Base Directory specification)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share"
    return root / "paperdesk"


def database_url(target: str | Path) -> str:
    """Return the async driver's URL for a path or a URL.

    A bare path and `sqlite://` URLs become aiosqlite's with an absolute path; `postgres://` and
    `postgresql://` become asyncpg's. Raises SettingsError for anything else.
    """
    text = str(target).strip()
    if not text:
        raise SettingsError("The database address is empty. Give a file path or a PostgreSQL URL.")
    scheme, separator, rest = text.partition("://")
    if not separator:
        return SQLITE + _absolute(text)
    match scheme.lower():
        case "sqlite" | "sqlite+aiosqlite":
            return SQLITE + _absolute(rest.removeprefix("/"))
        case "postgres" | "postgresql" | "postgresql+asyncpg":
            _check(text)
            return POSTGRESQL + rest
        case _:
            raise SettingsError(
                f"The database address starts with {scheme}://. Paperdesk speaks SQLite (a file "
                "path or sqlite:///path/to/desk.db) and PostgreSQL (postgresql://user@host/name)."
            )


def sqlite_path(url: str) -> Path | None:
    """Return the file of a SQLite URL as `database_url` makes it, None for PostgreSQL."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def is_loopback(host: str) -> bool:
    """Say whether a host reaches this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _check(address: str) -> None:
    """Raise SettingsError for a PostgreSQL URL that cannot be taken apart. Never repeats it."""
    try:
        parts = urlsplit(address)
        # Read for its check: it has to be a number, and a possible one.
        _ = parts.port
    except ValueError as error:
        raise SettingsError(
            "The database address cannot be read: after the host comes a port between 0 and 65535 "
            f"or none. {_ENCODED}"
        ) from error
    if "@" in parts.path or parts.fragment:
        raise SettingsError(f"The database address cannot be read. {_ENCODED}")


def _absolute(path: str) -> str:
    if path in {"", ":memory:"} or path.startswith("file:") or "?" in path:
        raise SettingsError(
            "Paperdesk keeps its books in a plain SQLite file: give its path, without options "
            "(an in-memory database would forget every trade)."
        )
    return str(Path(path).expanduser().absolute())


class Settings(BaseSettings):
    """Everything that can be set. `.env.example` documents each one."""

    model_config = SettingsConfigDict(
        env_prefix="PAPERDESK_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )
    unprefixed: ClassVar[frozenset[str]] = frozenset(
        {
            "DATABASE_URL",
            "FETCH_INTERVAL_MINUTES",
            "MASSIVE_API_KEY",
            "OPENROUTER_API_KEY",
            "LLM_MOCK",
        }
    )
    unused: ClassVar[frozenset[str]] = frozenset(
        {
            "openrouter_api_key",
            "llm_mock",
        }
    )
    """What can be set already, though this version has nothing yet that reads it."""

    database_url: str = Field(
        default_factory=lambda: str(data_folder() / "paperdesk.db"),
        validate_default=True,
        validation_alias=AliasChoices("PAPERDESK_DATABASE_URL", "DATABASE_URL"),
    )
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = ()
    auth: Literal["local", "required"] = "local"
    key_rate_per_second: float | None = Field(default=None, gt=0, le=100_000)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    timezone: str = "America/New_York"
    market_hours: Literal["auto", "24x7", "nyse"] = "auto"
    simulator_seed: int | None = None
    massive_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PAPERDESK_MASSIVE_API_KEY", "MASSIVE_API_KEY"),
    )
    massive_url: str = "https://api.massive.com"
    massive_interval_seconds: float = Field(default=15.0, ge=1, le=3600)
    public_url: str | None = None
    secret: SecretStr | None = Field(default=None, min_length=32)
    webhook_rate_per_minute: int = Field(default=10, ge=1, le=1_000_000)
    fetch_interval_minutes: int = Field(
        default=5,
        ge=1,
        le=1440,
        validation_alias=AliasChoices("PAPERDESK_FETCH_INTERVAL_MINUTES", "FETCH_INTERVAL_MINUTES"),
    )
    research_source: Literal["desk", "yfinance"] = "desk"
    openrouter_api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("PAPERDESK_OPENROUTER_API_KEY", "OPENROUTER_API_KEY"),
    )
    llm_mock: bool = Field(
        default=False, validation_alias=AliasChoices("PAPERDESK_LLM_MOCK", "LLM_MOCK")
    )
    backup_folder: Path | None = None
    backups_kept: int = Field(default=7, ge=1, le=10_000)
    export_folder: Path | None = None
    exports_kept_days: int = Field(default=7, ge=1, le=3650)
    url: str = "http://127.0.0.1:8000"
    api_key: SecretStr | None = None

    @field_validator("database_url")
    @classmethod
    def _driver_url(cls, value: str) -> str:
        try:
            return database_url(value)
        except SettingsError as error:
            raise ValueError(str(error)) from error

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError("not an IANA time zone such as America/New_York") from error
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _known_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text, strict=False)
            except ValueError as error:
                raise ValueError(
                    f"{text!r} is no address or range of addresses, such as 127.0.0.1 or 10.0.0.0/8"
                ) from error
        return value

    @field_validator("allowed_hosts", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(host.strip().lower() for host in value.split(",") if host.strip())
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the environment and `.env`. Raises SettingsError with one line a bad setting."""
        try:
            return cls()
        except ValidationError as error:
            lines = [
                f"{env_name(str(problem['loc'][0]))}: {_plain(problem['msg'])}"
                for problem in error.errors(include_input=False)
            ]
            raise SettingsError("; ".join(lines)) from error

    @property
    def masked_database_url(self) -> str:
        """The database URL for logs and people: without its password, wherever that stands."""
        parts = urlsplit(self.database_url)
        if sqlite_path(self.database_url):
            return self.database_url
        credentials, at, host = parts.netloc.rpartition("@")
        options = [(k, v) for k, v in parse_qsl(parts.query) if "passw" not in k.lower()]
        user = credentials.partition(":")[0]
        query = f"?{urlencode(options)}" if options else ""
        return f"{parts.scheme}://{user}{at}{host}{parts.path}{query}"


def env_name(field: str) -> str:
    """Return the name of the environment variable that `.env.example` shows for a field."""
    name = field.upper().removeprefix("PAPERDESK_")
    return name if name in Settings.unprefixed else f"PAPERDESK_{name}"


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")
