"""The feed of the whole desk."""

import pytest

from paperdesk.events.feed import Feed
from support.desk import DeskClient


@pytest.fixture
def feed(desk: DeskClient) -> Feed:
    found: Feed = desk.app.state.feed
    return found
