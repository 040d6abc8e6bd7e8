"""What Postgres is given to index: text in which its parser takes no quadratic time."""

from uuid import UUID

import pytest

from app.store.database import Database
from app.store.items import Items, Query
from tests.store.making import committing, put

HARD = ["a_" * 50_000, "~/" * 50_000, "<!--" * 25_000, "<!-- " * 20_000, "_".join(["word"] * 20_000)]


@pytest.mark.parametrize("text", HARD, ids=lambda text: text[:8])
async def test_no_text_within_the_limits_takes_the_writer_long(database: Database, feed_id: UUID, text: str) -> None:
    """The statement's own time limit (20 s) is what a text that is too hard would meet."""
    async with committing(database) as committer:
        assert (await committer.submit(put(feed_id, text=text, title="needle"))).status == "applied"
    assert (await Items(database).find(feed_id, Query(q="needle"))).total == 1
