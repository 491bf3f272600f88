"""Settings: where they come from, which addresses are understood, and what a bad one says."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from paperdesk.errors import SettingsError
from paperdesk.settings import Settings, data_folder, database_url, env_name, sqlite_path
from support.processes import ROOT

SQLITE = "sqlite+aiosqlite:///"
POSTGRESQL = "postgresql+asyncpg://"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of a person whose home it is too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "file"),
    [
        ("desk.db", "desk.db"),
        ("  desk.db\n", "desk.db"),
        ("./books/desk.db", "books/desk.db"),
        (Path("books/desk.db"), "books/desk.db"),
        ("~/desk.db", "desk.db"),
        ("sqlite:///desk.db", "desk.db"),
        ("sqlite:///~/desk.db", "desk.db"),
        ("SQLITE:///desk.db", "desk.db"),
        ("sqlite+aiosqlite:///desk.db", "desk.db"),
        ("my books/100%.db", "my books/100%.db"),
    ],
)
def test_relative_path_becomes_an_absolute_sqlite_url(
    folder: Path, given: str | Path, file: str
) -> None:
    url = database_url(given)
    assert url == f"{SQLITE}{folder / file}"
    assert sqlite_path(url) == folder / file
    assert database_url(url) == url


@pytest.mark.parametrize(
    "given", ["/srv/desk.db", "sqlite:////srv/desk.db", "sqlite+aiosqlite:////srv/desk.db"]
)
def test_absolute_path_is_kept(given: str) -> None:
    assert database_url(given) == f"{SQLITE}/srv/desk.db"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg", "Postgres"])
def test_postgresql_url_gets_the_async_driver(scheme: str) -> None:
    url = database_url(f"{scheme}://desk:secret@db.example:5433/desk?ssl=require")
    assert url == f"{POSTGRESQL}desk:secret@db.example:5433/desk?ssl=require"
    assert sqlite_path(url) is None


@pytest.mark.parametrize("given", ["mysql://root@host/desk", "postgresql+psycopg2://host/desk"])
def test_other_scheme_is_refused_with_the_two_accepted_ones(given: str) -> None:
    with pytest.raises(SettingsError) as refused:
        database_url(given)
    message = str(refused.value)
    assert given.partition("://")[0] in message
    assert "sqlite:///" in message
    assert "postgresql://" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "given",
    [
        "postgresql://desk:hush@host:notaport/desk",
        "postgresql://desk:hush@host:70000/desk",
        "postgres://desk:hush@[::1/desk",
        "postgresql://desk:hush/1@host/desk",
        "postgresql://desk:12/hush@host/desk",
        "postgresql://desk:12#hush@host/desk",
    ],
)
def test_postgresql_url_that_cannot_be_taken_apart_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SettingsError, match="%2F") as refused:
        database_url(given)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["", "  ", ":memory:", "sqlite://", "sqlite:///:memory:", "file:desk.db", "desk.db?mode=ro"],
)
def test_database_that_would_forget_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match=r"path|file"):
        database_url(given)


def test_desk_lives_in_the_data_folder_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert Settings.load().database_url == f"{SQLITE}/data/paperdesk/paperdesk.db"


@pytest.mark.parametrize("base", ["", "relative/folder"])
def test_data_folder_ignores_an_xdg_folder_that_is_not_absolute(
    folder: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", base)
    assert data_folder() == folder / ".local" / "share" / "paperdesk"


@pytest.mark.parametrize("name", sorted(Settings.unprefixed))
def test_prefixed_name_wins_over_the_plain_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    values = {"FETCH_INTERVAL_MINUTES": ("7", "9"), "LLM_MOCK": ("true", "false")}
    plain, prefixed = values.get(name, ("/plain.db", "/prefixed.db"))

    def read() -> str:
        value = getattr(Settings.load(), name.lower())
        shown = getattr(value, "get_secret_value", lambda: str(value).lower())()
        return str(shown).removeprefix(SQLITE)

    monkeypatch.setenv(name, plain)
    assert read() == plain
    monkeypatch.setenv(f"PAPERDESK_{name}", prefixed)
    assert read() == prefixed


def test_environment_wins_over_the_env_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("PAPERDESK_PORT=9001\nPAPERDESK_HOST=::1\nUNKNOWN=1\n")
    monkeypatch.setenv("PAPERDESK_PORT", "9002")
    settings = Settings.load()
    assert (settings.port, settings.host) == (9002, "::1")


def test_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERDESK_PORT", "")
    assert Settings.load().port == 8000


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().port = 1


def test_allowed_hosts_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERDESK_ALLOWED_HOSTS", "Desk.example, ,10.0.0.2")
    assert Settings.load().allowed_hosts == ("desk.example", "10.0.0.2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAPERDESK_PORT", "eighty"),
        ("PAPERDESK_PORT", "70000"),
        ("PAPERDESK_AUTH", "none"),
        ("PAPERDESK_LOG_LEVEL", "loud"),
        ("PAPERDESK_TIMEZONE", "Mars/Olympus"),
        ("PAPERDESK_TIMEZONE", "../etc/passwd"),
        ("PAPERDESK_MARKET_HOURS", "lse"),
        ("PAPERDESK_SIMULATOR_SEED", "1.5"),
        ("FETCH_INTERVAL_MINUTES", "0"),
        ("LLM_MOCK", "perhaps"),
        ("DATABASE_URL", "oracle://host/desk"),
        ("PAPERDESK_WEBHOOK_RATE_PER_MINUTE", "0"),
        ("PAPERDESK_MASSIVE_INTERVAL_SECONDS", "0.5"),
    ],
)
def test_bad_value_gives_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        Settings.load()
    assert str(refused.value).startswith(f"{name}: ")
    assert "\n" not in str(refused.value)


def test_every_bad_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAPERDESK_PORT", "eighty")
    monkeypatch.setenv("PAPERDESK_AUTH", "none")
    with pytest.raises(SettingsError, match=r"PAPERDESK_PORT: .*; PAPERDESK_AUTH: "):
        Settings.load()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://desk:secret@host/db", f"{POSTGRESQL}desk@host/db"),
        ("postgresql://desk:se:cr@et@host/db", f"{POSTGRESQL}desk@host/db"),
        ("postgresql://host/db", f"{POSTGRESQL}host/db"),
        (
            "postgresql:///db?user=desk&password=secret&host=/run",
            f"{POSTGRESQL}/db?user=desk&host=%2Frun",
        ),
        ("postgresql://host/db?sslpassword=secret", f"{POSTGRESQL}host/db"),
        ("/srv/desk.db", f"{SQLITE}/srv/desk.db"),
    ],
)
def test_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, url: str, shown: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert Settings.load().masked_database_url == shown


def test_settings_that_nothing_reads_are_known() -> None:
    source = ROOT / "src" / "paperdesk"
    texts = [path.read_text() for path in source.rglob("*.py") if path.name != "settings.py"]

    unread = {
        field
        for field in Settings.model_fields
        if not any(re.search(rf"settings\.(masked_)?{field}\b", text) for text in texts)
    }
    assert unread == Settings.unused


def test_secrets_do_not_show_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASSIVE_API_KEY", "OPENROUTER_API_KEY", "PAPERDESK_API_KEY"):
        monkeypatch.setenv(name, "hush-hush")
    assert "hush" not in repr(Settings.load())


@pytest.mark.parametrize(
    ("field", "name"),
    [("database_url", "DATABASE_URL"), ("host", "PAPERDESK_HOST"), ("url", "PAPERDESK_URL")],
)
def test_field_is_shown_by_the_name_that_the_example_uses(field: str, name: str) -> None:
    assert env_name(field) == name
