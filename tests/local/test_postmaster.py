"""Locks of dead postmasters: a zombie's, and one whose pid now belongs to another program."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.local import Postgres, postmaster, sockets
from app.local.account import Account


@pytest.fixture
def foreign(data_dir: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the account that Postgres runs as, so that Postgres itself would believe in it."""
    account = Account.choose(data_dir / "postgres")
    who: dict[str, Any] = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.dropped else {}
    with subprocess.Popen(["sleep", "120"], **who) as process:
        yield process
        process.kill()


def lock(data_dir: Path, lines: list[str], pid: int) -> None:
    """Leaves the lock files of a postmaster that had this pid."""
    file = data_dir / "postgres/postmaster.pid"
    file.write_text("\n".join([str(pid), *lines[1:]]) + "\n")
    socket = sockets.socket_file(sockets.socket_directory(data_dir))
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    socket.with_name(f"{socket.name}.lock").write_text("\n".join([str(pid), *lines[1:5]]) + "\n")
    account = Account.choose(data_dir / "postgres")
    for path in (file, socket.parent, socket.with_name(f"{socket.name}.lock")):
        account.give(path)


async def test_a_lock_whose_pid_was_reused_is_cleared(
    data_dir: Path, postgres: Postgres, foreign: "subprocess.Popen[bytes]", make: Callable[[], Postgres]
) -> None:
    lines = (data_dir / "postgres/postmaster.pid").read_text().splitlines()
    await postgres.stop()
    lock(data_dir, lines, foreign.pid)
    again = make()
    await again.start()
    assert again.owned
    assert foreign.poll() is None


async def test_a_zombies_lock_is_cleared(
    data_dir: Path, postgres: Postgres, foreign: "subprocess.Popen[bytes]", make: Callable[[], Postgres],
    eventually: Any,
) -> None:  # fmt: skip
    lines = (data_dir / "postgres/postmaster.pid").read_text().splitlines()
    await postgres.stop()
    os.kill(foreign.pid, 9)
    await eventually(lambda: ") Z " in Path(f"/proc/{foreign.pid}/stat").read_text(), 5)
    lock(data_dir, lines, foreign.pid)
    again = make()
    await again.start()
    assert again.owned


@pytest.mark.parametrize("text", ["", "nonsense\n"])
async def test_an_unreadable_lock_is_cleared(
    data_dir: Path, postgres: Postgres, make: Callable[[], Postgres], text: str
) -> None:
    await postgres.stop()
    (data_dir / "postgres/postmaster.pid").write_text(text)
    again = make()
    await again.start()
    assert again.owned


async def test_a_postmaster_of_another_directory_is_none_of_this_one(data_dir: Path, postgres: Postgres) -> None:
    assert postgres.pid
    home = data_dir / "postgres"
    found = postmaster.find(home)
    assert found
    assert (found.pid, found.running) == (postgres.pid, True)
    other = data_dir / "other"
    other.mkdir()
    (other / "postmaster.pid").write_text((home / "postmaster.pid").read_text())
    assert postmaster.find(other) is None


async def test_a_lock_is_believed_where_the_working_directory_is_hidden(
    data_dir: Path, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(self: Path, other: Path) -> bool:
        raise PermissionError

    monkeypatch.setattr(Path, "samefile", hidden)
    assert postmaster.find(data_dir / "postgres")


async def test_ps_tells_the_same_where_there_is_no_proc(data_dir: Path, postgres: Postgres) -> None:
    assert postgres.pid
    assert postmaster._serves_by_ps(postgres.pid, data_dir / "postgres")
    assert not postmaster._serves_by_ps(os.getpid(), data_dir / "postgres")
