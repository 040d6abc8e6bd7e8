"""OPTIONS names all methods of an address."""

import pytest

from tests.harness.live import Live


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/actions/items", {"GET", "POST"}),
        ("/actions/items/0199d2c4-5f31-7c1e-8a55-3f0f6b7f2f10", {"GET", "PATCH", "DELETE"}),
        ("/v1/changes", {"GET", "POST"}),
        ("/v1/devices/0199d2c4-5f31-7c1e-8a55-3f0f6b7f2f10", {"PATCH", "DELETE"}),
        ("/v1/stream", {"GET"}),
        ("/oauth/token", {"POST"}),
        ("/sign-in", {"GET", "POST"}),
    ],
)
async def test_options_names_all_methods(live: Live, path: str, methods: set[str]) -> None:
    answer = await live.http.options(path)
    assert answer.status_code == 204
    assert {name.strip() for name in answer.headers["allow"].split(",")} == {*methods, "OPTIONS"}
