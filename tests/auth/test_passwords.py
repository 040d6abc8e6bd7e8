"""Passwords are kept as argon2id hashes; too short and too long ones are refused."""

import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from app.auth.passwords import MAX_LENGTH, MIN_LENGTH, hash_password, verify_password
from app.errors import InvalidField


async def test_a_hash_verifies_its_password_alone() -> None:
    kept = await hash_password("correct horse \U0001f426")
    assert kept.startswith("$argon2id$")
    assert "horse" not in kept
    assert PasswordHasher().verify(kept, "correct horse \U0001f426")
    with pytest.raises(VerifyMismatchError):
        PasswordHasher().verify(kept, "correct horse")


async def test_the_same_password_has_another_hash_each_time() -> None:
    assert await hash_password("x" * MIN_LENGTH) != await hash_password("x" * MIN_LENGTH)


@pytest.mark.parametrize("length", [0, MIN_LENGTH - 1, MAX_LENGTH + 1])
async def test_a_password_out_of_range_is_refused(length: int) -> None:
    with pytest.raises(InvalidField) as refused:
        await hash_password("x" * length)
    assert refused.value.members == {"field": "password"}


async def test_a_password_is_known_again_and_no_other() -> None:
    kept = await hash_password("correct horse")
    assert await verify_password(kept, "correct horse")
    for other in ("correct horse ", "Correct horse", "", "x" * 5000):
        assert not await verify_password(kept, other)
    for nothing in (None, "", "no hash"):
        assert not await verify_password(nothing, "correct horse")
