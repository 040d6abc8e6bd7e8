"""A deliberately broken server: its committer ends at the first change."""

from app.cli import main
from app.store.commit import Committer


async def _settle(self: Committer, waiting: object, lane: object) -> None:
    """Fails as no part may."""
    raise RuntimeError


if __name__ == "__main__":
    Committer._settle = _settle  # type: ignore[method-assign]
    main()
