"""A webhook of the whole desk."""

import pytest

from support.desk import DeskClient
from support.hooks import Hook, make_hook


@pytest.fixture
async def hook(desk: DeskClient) -> Hook:
    """A webhook that executes."""
    return await make_hook(desk)
