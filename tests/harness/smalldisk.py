"""A server whose data directory is a small disk of its own: a tmpfs in a mount namespace that ends with the process.

`python -m tests.harness.smalldisk <directory> <megabytes> <module> <argument>…` mounts and becomes the module.
Root needs nothing else; anybody else a kernel that lets users make namespaces.
"""

import ctypes
import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.harness.build import BuildProcess

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_PRIVATE = 0x00004000 | 0x00040000
"""MS_REC | MS_PRIVATE"""
_BLOCK = 4096
_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(directory: str, megabytes: int) -> None:
    """Puts an empty disk of that size over the directory, for this process and its children alone. Raises `OSError`."""
    user, group = os.getuid(), os.getgid()
    _must(_libc.unshare(_NEWNS if user == 0 else _NEWNS | _NEWUSER))
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _must(_libc.mount(None, b"/", None, _PRIVATE, None))
    _must(_libc.mount(b"tmpfs", directory.encode(), b"tmpfs", 0, f"size={megabytes}m,mode=0711".encode()))


def why_not() -> str | None:
    """What keeps this machine from it; None when nothing does."""
    with TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.harness.smalldisk", directory, "1", "platform"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stderr.strip().splitlines()
    return f"needs root or user namespaces for a disk of its own ({said[-1]})" if done.returncode else None


@dataclass
class SmallDisk(BuildProcess):
    """A server of any build on a disk of `megabytes`."""

    megabytes: int = 160

    @property
    def program(self) -> list[str]:
        """Mounts, then is the module."""
        return [sys.executable, "-m", "tests.harness.smalldisk", str(self.data_dir), str(self.megabytes), self.module]

    @property
    def ballast(self) -> Path:
        """A file on the disk, as this process reaches it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.data_dir.absolute()}/ballast")

    def fill(self) -> None:
        """Leaves no block free."""
        with self.ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(_BLOCK))

    def free(self) -> None:
        """Gives back what `fill` took."""
        self.ballast.unlink()


if __name__ == "__main__":
    mount(sys.argv[1], int(sys.argv[2]))
    os.execv(sys.executable, [sys.executable, "-m", *sys.argv[3:]])  # noqa: S606
