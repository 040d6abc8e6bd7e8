"""The codes that people type to let a device in (RFC 8628, section 6.1)."""

import secrets

ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so no words; no digits that look like letters
LENGTH = 8


def new_user_code() -> str:
    """Such as `WDJB-MJHT`: 34 bits, of which a person has five tries."""
    code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"


def normalized(typed: str) -> str:
    """However it was typed."""
    return "".join(letter for letter in typed.upper() if letter in ALPHABET)
