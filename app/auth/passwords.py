"""Passwords: argon2id with the library's parameters (RFC 9106, low-memory profile)."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from app.errors import InvalidField

MIN_LENGTH, MAX_LENGTH = 8, 1024
_hasher = PasswordHasher()
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$c3RhcmxpbmctYWJzZW50$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI"
"""Checked where there is no hash, so that an unknown address takes as long as a known one."""


async def hash_password(password: str) -> str:
    """The hash to keep; made in a thread, for it takes a good part of a second. Raises `InvalidField`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidField("password", f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return await asyncio.to_thread(_hasher.hash, password)


async def verify_password(hashed: str | None, password: str) -> bool:
    """Whether it is the password with this hash; in a thread."""
    return len(password) <= MAX_LENGTH and await asyncio.to_thread(_verify, hashed or _NOBODYS, password)


def _verify(hashed: str, password: str) -> bool:
    try:
        return _hasher.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False
