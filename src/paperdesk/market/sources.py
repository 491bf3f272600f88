"""Which price source the settings ask for, and which market hours."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from paperdesk.clock import Clock
from paperdesk.market.hours import Hours, hours_of
from paperdesk.market.massive import Massive
from paperdesk.market.quotes import PriceSource
from paperdesk.market.simulator import Simulator
from paperdesk.settings import Settings


def source_for(settings: Settings, clock: Clock) -> PriceSource:
    """Return Massive where there is a key for it, else the simulator."""
    key = _massive_key(settings)
    if key is None:
        return Simulator(settings.simulator_seed, clock)
    return Massive(
        key,
        clock,
        base_url=settings.massive_url,
        interval=timedelta(seconds=settings.massive_interval_seconds),
    )


def hours_for(settings: Settings) -> Hours:
    """Return when the market is open: around the clock with the simulator, else as the NYSE is."""
    name = settings.market_hours
    if name == "auto":
        name = "nyse" if _massive_key(settings) else "24x7"
    return hours_of(name, ZoneInfo(settings.timezone))


def _massive_key(settings: Settings) -> SecretStr | None:
    key = settings.massive_api_key
    return key if key is not None and key.get_secret_value().strip() else None
