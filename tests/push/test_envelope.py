"""Encryption of a push: against RFC 8291's own example, and read by another implementation."""

from base64 import urlsafe_b64decode

import http_ece
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key

from app.push.envelope import MAX_BYTES, is_point, point, seal

# Appendix A of RFC 8291
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PUBLIC = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
SALT, AUTH = "DGv6ra1nlYgDCS1FRnbzlw", "BTBZMqHH6r4Tts7J_aSIgg"
SEALED = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"
    "mlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPT"
    "pK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_it_is_the_example_of_the_standard() -> None:
    own = derive_private_key(int.from_bytes(decoded(AS_PRIVATE), "big"), SECP256R1())
    text = b"When I grow up, I want to be a watermelon"
    assert seal(text, decoded(UA_PUBLIC), decoded(AUTH), own=own, salt=decoded(SALT)) == decoded(SEALED)


def test_another_implementation_reads_the_longest_of_them() -> None:
    browser, auth = generate_private_key(SECP256R1()), bytes(range(16))
    text = b"x" * MAX_BYTES
    sealed = seal(text, point(browser.public_key()), auth)
    assert len(sealed) == 4096
    assert http_ece.decrypt(sealed, private_key=browser, auth_secret=auth, version="aes128gcm") == text
    assert seal(text, point(browser.public_key()), auth) != sealed


def test_what_is_no_point_is_told_apart() -> None:
    good = decoded(UA_PUBLIC)
    assert is_point(good)
    assert not any(map(is_point, (b"", b"\4" * 65, good[:-1], b"\2" + good[1:33], b"\4" + bytes(64))))
