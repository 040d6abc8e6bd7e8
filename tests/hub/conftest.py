"""A hub over the test's database."""

from collections.abc import AsyncIterator

import pytest

from app.store.database import Database
from tests.harness.room import Room, open_room


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    """A running hub with nobody in it."""
    async with open_room(database) as opened:
        yield opened
