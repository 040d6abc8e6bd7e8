"""Who holds a data directory, according to its postmaster.pid, and whether that is still true."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = {"postgres", "postmaster"}
DEAD = {"Z", "X", "x"}  # process states: exited, and not yet collected by the parent


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A live process that serves the cluster in `home`; `socket_directory` is None until it has one."""

    pid: int
    home: Path
    socket_directory: Path | None

    @property
    def running(self) -> bool:
        """Whether the process is still there and still that postmaster."""
        return _serves(self.pid, self.home)


def find(home: Path) -> Postmaster | None:
    """The live postmaster that the cluster's lock file names, or None."""
    lines = _lock_file(home)
    pid = _pid(lines)
    if pid is None or not _serves(pid, home):
        return None
    directory = lines[4].strip() if len(lines) > 4 else ""
    return Postmaster(pid, home, Path(directory) if directory else None)


def release(home: Path) -> None:
    """Takes a dead postmaster's claim back, so that a zombie or a reused pid does not stop the next one.

    Only for who found no live postmaster and is about to fork the next one. Postgres takes no notice of a lock that
    names its own parent, but still looks for backends of the dead one through the shared memory key further down in
    the file: that is why the file stays.
    """
    lines = _lock_file(home)
    if _pid(lines) is None:
        (home / "postmaster.pid").unlink(missing_ok=True)
    else:
        (home / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")


def _lock_file(home: Path) -> list[str]:
    try:
        return (home / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _pid(lines: list[str]) -> int | None:
    try:
        return abs(int(lines[0]))  # negative: a single-user server
    except (IndexError, ValueError):
        return None


def _serves(pid: int, home: Path) -> bool:
    if Path("/proc/self/stat").exists():
        return _serves_by_proc(Path("/proc") / str(pid), home)
    return _serves_by_ps(pid, home)


def _serves_by_proc(process: Path, home: Path) -> bool:
    try:
        state = (process / "stat").read_text().rpartition(")")[2].split()[0]
        command = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except (FileNotFoundError, ProcessLookupError):
        return False
    if state in DEAD or Path(command[0]).name not in PROGRAMS:
        return False
    try:
        return (process / "cwd").samefile(home)  # a postmaster works in its data directory
    except PermissionError:  # root without CAP_SYS_PTRACE, as in a container, asking about another uid
        return str(home) in command
    except OSError:
        return False


def _serves_by_ps(pid: int, home: Path) -> bool:
    shown = subprocess.run(
        ["/bin/ps", "-ww", "-o", "stat=,command=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=2)
    if len(shown) < 3 or shown[0][0] in DEAD:
        return False
    return Path(shown[1]).name in PROGRAMS and str(home) in shown[2]
