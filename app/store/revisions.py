"""The migrations in their order, and what a database at one of them means for the code of this version (pure).

A revision's id tells other versions, which do not have its file, whether they may run on it:

0001                the first
pre_0003_on_0001    safe while older code runs; 0001 is the newest revision beneath that is no `pre_`
post_0004           only for code that knows it
"""

import re
from collections.abc import Sequence
from functools import cache
from itertools import takewhile
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
_PRE = re.compile(r"pre_([0-9]{4})_on_([0-9]{4})")
_POST = re.compile(r"post_([0-9]{4})")
_ID = re.compile(r"(?:pre_|post_)?([0-9]{4})(?:_on_[0-9]{4})?")


def config(directory: Path = MIGRATIONS) -> Config:
    """Alembic's configuration; there is no ini file."""
    made = Config()
    made.set_main_option("script_location", str(directory))
    return made


@cache
def head() -> str:
    """The newest revision that this version knows."""
    return Revisions.of(MIGRATIONS).ids[-1]


def is_post(revision: str) -> bool:
    """Whether it has to wait until no older code runs."""
    return _POST.fullmatch(revision) is not None


class Revisions:
    """Revisions, oldest first."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = list(ids)

    @classmethod
    def of(cls, directory: Path) -> "Revisions":
        """Those that have a file there."""
        scripts = ScriptDirectory.from_config(config(directory))
        return cls([script.revision for script in scripts.walk_revisions()][::-1])

    def pending(self, at: str | None) -> list[str]:
        """What a database at `at` has still to go through: nothing, when it knows more than this version."""
        if at is None:
            return list(self.ids)
        return self.ids[self.ids.index(at) + 1 :] if at in self.ids else []

    def before_start(self, at: str | None) -> list[str]:
        """What of it comes before the new code starts."""
        return list(takewhile(lambda revision: not is_post(revision), self.pending(at)))

    def after_stop(self, at: str | None) -> list[str]:
        """What of it comes next, and only when no older code runs any more."""
        return list(takewhile(is_post, self.pending(at)))

    def refusal(self, at: str | None) -> str | None:
        """Why this version cannot run on a database at `at`; None when it can."""
        if at is None:
            return "The database has no tables: run `starling migrate` first."
        if not all(is_post(revision) for revision in self.pending(at)):
            return "The database's schema is older than this version needs: run `starling migrate --pre` first."
        if at not in self.ids and not self._knows_what_is_beneath(at):
            return f"The database's schema ({at}) is of a newer version, which this one cannot work with."
        return None

    def _knows_what_is_beneath(self, unknown: str) -> bool:
        match = _PRE.fullmatch(unknown)
        return match is not None and match[2] in {_number(known) for known in self.ids}


def is_older(version: str, revision: str) -> bool:
    """Whether code whose newest revision is `version` was written before `revision`. What is no revision was."""
    return _number(version) < _number(revision)


def _number(revision: str) -> str:
    match = _ID.fullmatch(revision)
    return match[1] if match else ""
