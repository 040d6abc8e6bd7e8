"""A directory of migrations for one test: the real ones, and what the test adds."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from app.store.revisions import MIGRATIONS, Revisions, is_post

_FILE = '''"""A test's."""
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down}"


def upgrade() -> None:
{body}
'''


@dataclass(frozen=True)
class Scratch:
    """Migrations that a test writes."""

    directory: Path

    @classmethod
    def make(cls, directory: Path) -> "Scratch":
        """Begins with the project's own."""
        shutil.copytree(MIGRATIONS, directory, ignore=shutil.ignore_patterns("__pycache__"))
        return cls(directory)

    @property
    def ids(self) -> list[str]:
        """Oldest first."""
        return Revisions.of(self.directory).ids

    def add(self, kind: str, *statements: str) -> str:
        """One more `pre` or `post` migration of these statements; its id."""
        ids = self.ids
        base = next(known for known in reversed(ids) if not known.startswith("pre_"))
        number = int(ids[-1].split("_")[1] if "_" in ids[-1] else ids[-1]) + 1
        revision = f"pre_{number:04}_on_{base[-4:]}" if kind == "pre" else f"post_{number:04}"
        assert is_post(revision) == (kind == "post")
        return self.write(revision, *statements)

    def write(self, revision: str, *statements: str) -> str:
        """The same with an id of the test's own, in place of a file of that id; its id."""
        down = next(known for known in reversed(self.ids) if known != revision)
        body = "\n".join(f"    op.execute({statement!r})" for statement in statements) or "    pass"
        path = self.directory / "versions" / f"{revision}_test.py"
        path.write_text(_FILE.format(revision=revision, down=down, body=body))
        return revision
