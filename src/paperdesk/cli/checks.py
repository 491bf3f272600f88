"""The doctor's checks of the machine and of the running desk."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from paperdesk import __version__
from paperdesk.cli.answers import Health
from paperdesk.cli.client import Desk
from paperdesk.cli.failures import CommandFailed, Exit, sentence
from paperdesk.cli.options import REMOTE
from paperdesk.settings import Settings, data_folder

_GIB: Final = 1024**3
_ENOUGH: Final = 1 * _GIB
_LITTLE: Final = _GIB // 10
_RELEASED: Final = datetime(2026, 8, 1, tzinfo=UTC)
_OLD_PRICES: Final = timedelta(minutes=1)


class Check(msgspec.Struct):
    """What was looked at, what was found, and what to do about it."""

    name: str
    state: Literal["ok", "warning", "problem"]
    found: str
    advice: str = ""


def machine(settings: Settings, path: Path | None, now: datetime) -> list[Check]:
    """Check the disk and the clock."""
    return [_disk(path.parent if path else data_folder()), _time(settings, now)]


def desk(settings: Settings, now: datetime) -> list[Check]:
    """Check whether a desk answers, and how old its prices are."""
    try:
        with Desk(REMOTE, attempts=1) as connection:
            health = connection.get("/api/health").read(Health)
            url = connection.url
    except CommandFailed as failure:
        if failure.exit_code is Exit.NO_DESK:
            return [Check("desk", "warning", "down", sentence(failure))]
        return [Check("desk", "problem", sentence(failure))]
    role = "" if health.leader else ", another process leads"
    found = f"{url} answers, version {health.version}, {health.status}{role}"
    server = Check("desk", "ok", found)
    if health.status != "ok":
        server.state = "problem"
        server.advice = health.read_only or "Look into its log."
    elif health.version != __version__:
        server.state = "warning"
        server.advice = f"This program is version {__version__}: restart the desk."
    return [server, _prices(health, settings, now)]


def size(count: int) -> str:
    """Return a number of bytes as people read it."""
    amount, units = count, ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 10 * 1024 and len(units) > 1:
        amount //= 1024
        units.pop(0)
    return f"{amount:,} {units[0]}"


def _disk(folder: Path) -> Check:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{size(free)} free in {folder}"
    if free < _LITTLE:
        return Check("disk", "problem", found, "Make room: a full disk refuses trades.")
    if free < _ENOUGH:
        return Check("disk", "warning", found, "Make room soon: a full disk refuses trades.")
    return Check("disk", "ok", found)


def _time(settings: Settings, now: datetime) -> Check:
    found = f"{now:%Y-%m-%d %H:%M:%S} UTC, day of {settings.timezone}"
    if now < _RELEASED:
        advice = "The clock is before this version was made: set it, or switch on NTP."
        return Check("clock", "problem", found, advice)
    try:
        local = now.astimezone(ZoneInfo(settings.timezone))
    except ZoneInfoNotFoundError:
        return Check("clock", "problem", found, "Time zone data is missing: pip install tzdata")
    return Check("clock", "ok", f"{found} (there {local:%H:%M})")


def _prices(health: Health, settings: Settings, now: datetime) -> Check:
    market = health.market
    source = market.source or "unknown source"
    if market.as_of is None:
        return Check("prices", "warning", f"{source}, none yet", "Wait for the first prices.")
    age = now - datetime.fromisoformat(market.as_of)
    found = f"{source}, {max(0.0, age.total_seconds()):.1f} s old"
    if age > max(_OLD_PRICES, 3 * timedelta(seconds=settings.massive_interval_seconds)):
        advice = "Stale prices fill no order. See the desk's log for what the source says."
        return Check("prices", "warning", found, advice)
    return Check("prices", "ok", found)


def holder(path: Path) -> int | None:
    """Return the process that owns a SQLite file, as far as its lock file says."""
    pid: int | None = None
    lock = path.resolve().with_name(path.name + ".lock")
    try:
        pid = int(lock.read_text("ascii"))
        os.kill(pid, 0)
    except PermissionError:
        return pid
    except (OSError, ValueError, OverflowError):
        return None
    return pid
