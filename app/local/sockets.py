"""The private socket directory, and whether a server answers there.

It lies in /tmp whatever the environment says: its path must be short (107 bytes with the socket's name), the same for
every process of a machine that uses one data directory, and must outlive the login session that started the server.
"""

import asyncio
import hashlib
import os
import struct
from pathlib import Path

from app.local import directories
from app.local.account import Account

PARENT = Path("/tmp")  # noqa: S108 - checked by directories.make
PORT = 5432
USER = DATABASE = "starling"
PROTOCOL = 3 << 16
TIMEOUT = 2.0  # seconds for an answer
FULL = b"C53300\0"  # too many connections: a server that is up


def socket_directory(data_dir: Path, suffix: str = "") -> Path:
    """Where the socket of `data_dir` belongs; `suffix` tells servers of one data directory apart."""
    return PARENT / f"starling-{hashlib.sha256(bytes(data_dir.resolve())).hexdigest()[:16]}{suffix}"


def socket_file(directory: Path) -> Path:
    """The name that every Postgres client appends."""
    return directory / f".s.PGSQL.{PORT}"


def prepare(socket: Path, account: Account) -> None:
    """Makes the socket's directory, open to the account alone, without the socket of a server that died.

    Raises LocalServerError when somebody else has it. Only for who knows that no server uses it: a dead Postgres's
    socket lock whose pid is in use again would stop the next one from starting.
    """
    directory = socket.parent
    owners = {account.uid, os.geteuid()}  # this process's own, when it died before it gave the directory away
    directories.make(directory, mode=0o700, owners=owners, forbidden=directories.OPEN_TO_OTHERS)
    account.give(directory)
    socket.unlink(missing_ok=True)
    socket.with_name(f"{socket.name}.lock").unlink(missing_ok=True)


async def answers(directory: Path) -> bool:
    """Whether a server behind this directory accepts connections now."""
    try:
        async with asyncio.timeout(TIMEOUT):
            return await _greet(directory)
    except (OSError, EOFError, TimeoutError):
        return False


async def _greet(directory: Path) -> bool:
    reader, writer = await asyncio.open_unix_connection(str(socket_file(directory)))
    try:
        body = struct.pack("!i", PROTOCOL) + f"user\0{USER}\0database\0{DATABASE}\0\0".encode()
        writer.write(struct.pack("!i", len(body) + 4) + body)
        while True:
            kind, length = struct.unpack("!ci", await reader.readexactly(5))
            message = await reader.readexactly(length - 4)
            if kind == b"E":
                return FULL in message
            if kind == b"Z":
                writer.write(b"X" + struct.pack("!i", 4))
                return True
    finally:
        writer.close()
