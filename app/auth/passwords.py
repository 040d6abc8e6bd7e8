"""Passwords: argon2id with the library's parameters (RFC 9106, low-memory profile)."""

import asyncio

from argon2 import PasswordHasher

from app.errors import InvalidField

MIN_LENGTH, MAX_LENGTH = 8, 1024
_hasher = PasswordHasher()


async def hash_password(password: str) -> str:
    """The hash to keep; made in a thread, for it takes a good part of a second. Raises `InvalidField`."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidField("password", f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return await asyncio.to_thread(_hasher.hash, password)
