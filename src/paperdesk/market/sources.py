"""Which price source the settings ask for."""

from datetime import timedelta

from paperdesk.clock import Clock
from paperdesk.market.massive import Massive
from paperdesk.market.quotes import PriceSource
from paperdesk.market.simulator import Simulator
from paperdesk.settings import Settings


def source_for(settings: Settings, clock: Clock) -> PriceSource:
    """Return Massive where there is a key for it, else the simulator."""
    key = settings.massive_api_key
    if key is None or not key.get_secret_value().strip():
        return Simulator(settings.simulator_seed, clock)
    return Massive(
        key,
        clock,
        base_url=settings.massive_url,
        interval=timedelta(seconds=settings.massive_interval_seconds),
    )
