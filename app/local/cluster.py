"""The data directory: where it lies, made whole or not at all."""

import hashlib
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from app.local import directories
from app.local.account import Account
from app.local.errors import LocalDatabaseError
from app.local.programs import Programs
from app.local.sockets import DATABASE, USER

log = structlog.get_logger(__name__)

STATE = Path("/var/lib/starling")  # where a cluster goes that the account could not reach in its proper place


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Postgres data directory and who runs it with what. `place` is its name in Starling's data directory, which may
    be a link.
    """

    place: Path
    account: Account
    programs: Programs

    @property
    def home(self) -> Path:
        """The directory itself."""
        return self.place.resolve()

    async def ensure(self, settings: Mapping[str, str]) -> None:
        """Makes the cluster, with the database in it, unless it is there; refuses one of another major version."""
        if self.place.exists():
            self._check()
        elif self.place.is_symlink():
            raise LocalDatabaseError(
                f"{self.place} leads to {self.home}, which is gone: bring it back, or remove the link to begin anew."
            )
        else:
            await self._create(settings)

    def _check(self) -> None:
        if not self.account.can_enter(self.home):
            raise LocalDatabaseError(f"uid {self.account.uid}, which Postgres runs as, cannot reach {self.home}.")
        try:
            version = (self.home / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise LocalDatabaseError(f"{self.home} is no Postgres data directory: move it away.") from None
        if version != self.programs.major:
            raise LocalDatabaseError(
                f"{self.home} was made by Postgres {version}, and this is Postgres {self.programs.version}. "
                f"Dump the database with Postgres {version} (pg_dump), move the directory away, start Starling, "
                f"and load the dump with Postgres {self.programs.major} (psql)."
            )

    async def _create(self, settings: Mapping[str, str]) -> None:
        if self.account.can_enter(self.place.parent):
            await self._fill(self.place, self.place.name, settings)
            return
        STATE.parent.mkdir(parents=True, exist_ok=True)
        directories.make(STATE, mode=0o755, owners={0}, forbidden=directories.WRITABLE_BY_OTHERS)
        digest = hashlib.sha256(bytes(self.place.parent.resolve())).hexdigest()[:16]
        # A data directory that was removed and made again begins empty: it must not find its old database.
        home = STATE / f"{digest}-{secrets.token_hex(4)}"
        await self._fill(home, digest, settings)
        self.place.symlink_to(home)
        directories.sync(self.place.parent)

    async def _fill(self, home: Path, stem: str, settings: Mapping[str, str]) -> None:
        prefix = f"{stem}.new-"
        for killed in home.parent.glob(f"{prefix}*"):
            shutil.rmtree(killed, ignore_errors=True)
        fresh = Path(tempfile.mkdtemp(prefix=prefix, dir=home.parent))
        try:
            self.account.give(fresh)
            await self._initialise(fresh, settings)
            _publish(fresh, home)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        log.info("postgres.created", directory=str(home), version=self.programs.version)

    async def _initialise(self, fresh: Path, settings: Mapping[str, str]) -> None:
        durable = settings.get("fsync", "on") != "off"
        # Trust, because only who may enter the private socket directory can connect at all.
        options = ["--username", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--data-checksums"]
        syncing = [] if durable else ["--no-sync"]
        await self.account.run([self.programs.initdb, "--pgdata", str(fresh), *options, *syncing])
        single = ["--single", "-D", str(fresh), "-c", "exit_on_error=on", "-c", f"fsync={'on' if durable else 'off'}"]
        statement = f"create database {DATABASE} owner {USER}\n".encode()
        await self.account.run([self.programs.postgres, *single, "template1"], fed=statement)


def _publish(fresh: Path, home: Path) -> None:
    fresh.rename(home)
    directories.sync(home.parent)
