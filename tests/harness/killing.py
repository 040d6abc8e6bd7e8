"""Processes and their children, and how they are killed."""

import os
import signal
import subprocess
from contextlib import suppress


def family(pid: int) -> list[int]:
    """The process and all that descend from it, itself first; empty when it is gone."""
    shown = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in shown.splitlines()]
    parents = {int(row[0]): int(row[1]) for row in rows if not row[2].startswith("Z")}
    found = [pid] if pid in parents else []
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill_family(pid: int) -> None:
    """kill -9 of all of them, the parent first."""
    for one in family(pid):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)
