"""`paperdesk config show`: every setting, its value, and where it came from."""

import os
import re
from pathlib import Path
from typing import Any, Final

from cyclopts import App
from dotenv import dotenv_values
from pydantic import AliasChoices, SecretStr

from paperdesk.cli.options import SHOWN, Shown
from paperdesk.cli.output import clean, screen, show_value, table
from paperdesk.settings import Settings, env_name, sqlite_path

config = App(name="config")

_MASK: Final = "********"
_USERINFO: Final = re.compile(r"(?<=://)[^/@]*@")


@config.command(name="show")
def show(*, options: Shown = SHOWN) -> None:
    """Show every setting; secrets are masked."""
    settings = Settings.load()
    found = {field: _describe(settings, field) for field in Settings.model_fields}
    if options.json:
        show_value(found)
        return
    rows = table("Setting", "~Value", "From")
    for each in found.values():
        # Beside the value, which is short for these: a column more would squeeze the others.
        remark = "" if each["used"] else " (not used yet)"
        rows.add_row(each["variable"], clean(_text(each["value"])) + remark, each["source"])
    screen().print(rows)


def place(settings: Settings) -> str:
    """Return where the database is, for people: its file, or its URL without the password."""
    path = sqlite_path(settings.database_url)
    return str(path or settings.masked_database_url)


def _describe(settings: Settings, field: str) -> dict[str, Any]:
    variable, source = _origin(field)
    return {
        "variable": variable,
        "value": _shown(settings, field),
        "source": source,
        "used": field not in Settings.unused,
    }


def _shown(settings: Settings, field: str) -> Any:
    value: Any = getattr(settings, field)
    if isinstance(value, SecretStr):
        return _MASK
    if field == "database_url":
        return place(settings)
    if isinstance(value, str) and "://" in value:
        return _USERINFO.sub(f"{_MASK}@", value)
    return value


def _origin(field: str) -> tuple[str, str]:
    """Return the variable that sets a field, and the source that the value came from."""
    alias = Settings.model_fields[field].validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [f"PAPERDESK_{field.upper()}"]
    names = [str(name).upper() for name in choices]
    file = Path(str(Settings.model_config.get("env_file")))
    for source, values in (("environment", os.environ), (str(file), dotenv_values(file))):
        given = {name.upper() for name, value in values.items() if value}
        for name in names:
            if name in given:
                return name, source
    return env_name(field), "default"


def _text(value: Any) -> str:
    match value:
        case None | ():
            return "-"
        case bool():
            return str(value).lower()
        case tuple():
            return ",".join(str(each) for each in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            return str(value)
