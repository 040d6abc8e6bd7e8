"""Who the embedded servers run as, and how programs are started: Postgres refuses to run as root."""

import asyncio
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from app.local.errors import LocalDatabaseError
from app.local.lifeline import bound, require_main_thread

UNPRIVILEGED = ("postgres", "nobody")
POLL = 0.02  # seconds
SPEECH = 2000  # characters of a failed program's output that are worth showing


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a server runs as; `dropped` when this process is root and gives its rights up for it."""

    uid: int
    gid: int
    dropped: bool

    @classmethod
    def choose(cls, cluster: Path) -> Self:
        """The owner of an existing cluster, else this process's own account, else (as root) an unprivileged one."""
        if os.geteuid() != 0:
            return cls._own(cluster)
        owner = cluster.stat() if cluster.exists() else None
        if owner:
            if owner.st_uid == 0:
                raise LocalDatabaseError(f"{cluster} belongs to root, as which Postgres does not run: chown -R it.")
            return cls(owner.st_uid, owner.st_gid, dropped=True)
        for name in UNPRIVILEGED:
            try:
                found = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(found.pw_uid, found.pw_gid, dropped=True)
        raise LocalDatabaseError(
            "Postgres does not run as root and there is no account 'postgres' or 'nobody' to run it as: "
            "create one (useradd --system postgres) or start Starling as a normal user."
        )

    @classmethod
    def _own(cls, cluster: Path) -> Self:
        uid = os.geteuid()
        if cluster.exists() and cluster.stat().st_uid != uid:
            owner = cluster.stat().st_uid
            raise LocalDatabaseError(f"{cluster} belongs to uid {owner}, and this process runs as uid {uid}.")
        return cls(uid, os.getegid(), dropped=False)

    def give(self, path: Path) -> None:
        """Makes this account the owner of what this process just made."""
        if self.dropped:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_enter(self, directory: Path) -> bool:
        """Asked of the kernel, so that access lists and mounts count too."""
        return self.output(["/bin/sh", "-c", 'cd -- "$1"', "sh", str(directory)]) is not None

    def output(self, arguments: Sequence[str]) -> str | None:
        """What a short program prints, or None when it fails or cannot be reached. OSError: it is not there at all."""
        try:
            done = subprocess.run(
                arguments,
                cwd="/",
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                user=self.uid if self.dropped else None,
                group=self.gid if self.dropped else None,
                extra_groups=[] if self.dropped else None,
                check=False,
            )
        except PermissionError:
            return None
        return done.stdout.decode(errors="replace") if done.returncode == 0 else None

    def spawn(
        self, arguments: Sequence[str], *, said: IO[bytes], fed: IO[bytes] | None = None, last: signal.Signals
    ) -> "subprocess.Popen[bytes]":
        """Starts a program in a session of its own, out of reach of the terminal's Ctrl-C, that gets the signal `last`
        when this process dies (on Linux; elsewhere it would live on).
        """
        require_main_thread()
        return subprocess.Popen(
            arguments,
            cwd="/",
            env=_environment(),
            stdin=fed or subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            user=self.uid if self.dropped else None,
            group=self.gid if self.dropped else None,
            extra_groups=[] if self.dropped else None,
            start_new_session=True,
            preexec_fn=bound(last),  # noqa: PLW1509 - it calls two system calls, no more
        )

    async def run(self, arguments: Sequence[str], fed: bytes = b"") -> None:
        """Runs a program to its end; raises LocalDatabaseError with its last output when it fails."""
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as feed:
            feed.write(fed)
            feed.seek(0)
            process = self.spawn(arguments, said=said, fed=feed, last=signal.SIGKILL)
            try:
                while process.poll() is None:  # noqa: ASYNC110 - a child process has no event to wait for
                    await asyncio.sleep(POLL)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if process.returncode:
                said.seek(0)
                words = said.read().decode(errors="replace")[-SPEECH:].strip()
                raise LocalDatabaseError(f"{Path(arguments[0]).name} failed ({process.returncode}): {words}")


def _environment() -> dict[str, str]:
    """Without PGPORT, PGDATA and the like, which would redirect the server, and without this process's secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | kept
