"""Chromium, once for each file of tests."""

import os
from collections.abc import AsyncIterator

import pytest

from tests.harness.chromium import Chromium, Tab, chromium, installed

MISSING = "CHROMIUM IS MISSING: none of the pages was seen by a browser. Install it, or name one in CHROMIUM"


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Chromium]:
    """The process."""
    if installed() is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(MISSING)
    async with chromium() as opened:
        yield opened


@pytest.fixture
async def tab(browser: Chromium) -> AsyncIterator[Tab]:
    """A new profile."""
    async with browser.tab() as opened:
        yield opened
