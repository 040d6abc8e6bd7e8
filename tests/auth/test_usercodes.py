"""The codes that people type."""

from app.auth.usercodes import ALPHABET, new_user_code, normalized


def test_a_code_is_short_and_spells_nothing() -> None:
    codes = {new_user_code() for _ in range(100)}
    assert len(codes) == 100
    assert all(len(code) == 9 and code[4] == "-" for code in codes)
    assert not set("AEIOU01") & set(ALPHABET)


def test_however_it_is_typed() -> None:
    code = new_user_code()
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} \n"):
        assert normalized(typed) == normalized(code)
    assert normalized("\0é§") == ""
