"""The socket directory is ours alone, or nothing starts."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.local import LocalServerError, Postgres, sockets


async def test_a_directory_open_to_others_is_refused(data_dir: Path, make: Callable[[], Postgres]) -> None:
    directory = sockets.socket_directory(data_dir)
    directory.mkdir()
    directory.chmod(0o755)
    with pytest.raises(LocalServerError, match="is open to other accounts"):
        await make().start()


async def test_a_link_is_refused(data_dir: Path, make: Callable[[], Postgres]) -> None:
    directory = sockets.socket_directory(data_dir)
    (data_dir.parent / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(data_dir.parent / "elsewhere")
    try:
        with pytest.raises(LocalServerError, match="is not a directory"):
            await make().start()
    finally:
        directory.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes directories for others")
async def test_another_accounts_directory_is_refused(data_dir: Path, make: Callable[[], Postgres]) -> None:
    directory = sockets.socket_directory(data_dir)
    directory.mkdir(mode=0o700)
    os.chown(directory, 12345, 12345)
    with pytest.raises(LocalServerError, match="belongs to another account"):
        await make().start()


def test_directories_differ_and_links_do_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert sockets.socket_directory(tmp_path / "a") == sockets.socket_directory(tmp_path / "b")
    assert sockets.socket_directory(tmp_path / "a") != sockets.socket_directory(tmp_path)


async def test_nobody_answers_where_nothing_is(tmp_path: Path) -> None:
    assert not await sockets.answers(tmp_path)
