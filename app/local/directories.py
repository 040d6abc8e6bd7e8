"""Whom a directory must belong to before we trust it."""

import os
import stat
from pathlib import Path

from app.local.errors import LocalServerError

WRITABLE_BY_OTHERS = 0o022
OPEN_TO_OTHERS = 0o077


def make(path: Path, *, mode: int, owners: set[int], forbidden: int) -> None:
    """Makes `path` with exactly `mode` unless it exists, then demands a real directory of one of `owners` (uids)
    without the permission bits `forbidden`; raises LocalServerError otherwise.
    """
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        pass
    else:
        path.chmod(mode)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise LocalServerError(f"{path} is not a directory: remove it and start again.")
    if found.st_uid not in owners:
        raise LocalServerError(f"{path} belongs to another account (uid {found.st_uid}): it must be removed first.")
    if found.st_mode & forbidden:
        raise LocalServerError(f"{path} is open to other accounts (mode {found.st_mode & 0o777:o}): remove it first.")


def sync(path: Path) -> None:
    """Makes the names in a directory survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
