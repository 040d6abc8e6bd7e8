"""Directories for clusters."""

import tempfile
from pathlib import Path


def open_directory() -> Path:
    """Not below pytest's own directory, which is closed to the account that Postgres runs as."""
    directory = Path(tempfile.mkdtemp(prefix="starling-test-"))
    directory.chmod(0o755)
    return directory
