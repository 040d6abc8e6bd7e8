"""The page that says what is kept."""

from pathlib import Path

from tests.harness.browser import Browser
from tests.harness.live import serving


async def test_the_privacy_page_tells_everybody_how_this_server_is_set_up(database_url: str, own_dir: Path) -> None:
    async with serving(database_url, own_dir, tombstone_days=7) as live, Browser.open(live.url) as browser:
        await browser.go("/privacy")
        assert browser.response.status_code == 200
        assert live.url.removeprefix("http://") in browser.text
        assert "remembered for 7 days" in " ".join(browser.text.split())
