"""What Chromium complains of fails a test: nothing that is wrong with a page goes unnoticed."""

from typing import Any

import pytest

from app.web.pages import Pages
from tests.harness.chromium import Chromium, Tab
from tests.harness.live import Live


def put(monkeypatch: pytest.MonkeyPatch, html: str) -> None:
    """This stands on every page, too."""
    render = Pages.render

    def render_more(self: Pages, name: str, **values: Any) -> str:
        return render(self, name, **values).replace("</main>", f"{html}</main>")

    monkeypatch.setattr(Pages, "render", render_more)


async def look(live: Live, browser: Chromium) -> None:
    """At a page, in a tab of its own."""
    async with browser.tab() as tab:
        await tab.go(f"{live.url}/sign-in")
        assert await tab.call(["title"]) == "Sign in · Starling"


FORBIDDEN = {
    "<script>document.title = 1</script>": "Content Security Policy",
    "<button onclick='x()'>x</button>": "Content Security Policy",
    '<p style="color: red">x</p>': "Content Security Policy",
    '<img alt="" src="https://elsewhere.invalid/x.png">': "Content Security Policy",
    '<img alt="" src="/assets/none.png">': "404",
}


async def test_what_the_policy_forbids_is_noticed(
    live: Live, browser: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    for html, complaint in FORBIDDEN.items():
        with monkeypatch.context() as patch:
            put(patch, html)
            with pytest.raises(AssertionError, match=complaint):
                await look(live, browser)


BARRIERS = {
    '<input type="text" name="nameless">': '"label"',
    '<p><font color="#999999">pale</font></p>': "color-contrast",
    "<h5>skipped</h5>": "heading-order",
    f"<pre>{'wide ' * 100}</pre>": "sideways",
}


async def test_what_keeps_people_out_is_found(live: Live, tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    for html, finding in BARRIERS.items():
        with monkeypatch.context() as patch:
            put(patch, html)
            await tab.go(f"{live.url}/sign-in")
            with pytest.raises(AssertionError, match=finding):
                await tab.judge("broken")


async def test_a_focus_that_nobody_sees_is_found(live: Live, tab: Tab) -> None:
    await tab.go(f"{live.url}/sign-in")
    await tab.until_focused("E-mail address")
    await tab.call(["evaluate", "document.activeElement.style.outline = 'none'"])
    with pytest.raises(AssertionError, match="has the focus"):
        await tab.focused()
