"""Encryption of a push for one browser (RFC 8291, in the coding aes128gcm of RFC 8188). Pure but for its randomness."""

import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD_BYTES = 4096
MAX_BYTES = 3993
"""What fits in a push that every push service takes (RFC 8291, section 4)."""
POINT_BYTES, AUTH_BYTES = 65, 16


def point(key: EllipticCurvePublicKey) -> bytes:
    """The key as browsers send it: uncompressed."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def is_point(sent: bytes) -> bool:
    """Whether it is an uncompressed point of the curve P-256."""
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), sent)
    except ValueError:
        return False
    return len(sent) == POINT_BYTES


def seal(
    text: bytes, p256dh: bytes, auth: bytes, *, own: EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """The body of a push that holds `text`, at most MAX_BYTES. `own` and `salt` are made, except in a test."""
    own, salt = own or generate(SECP256R1()), salt or os.urandom(16)
    theirs, ours = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), p256dh), point(own.public_key())
    shared = own.exchange(ECDH(), theirs)
    secret = _derived(shared, auth, b"WebPush: info\0" + p256dh + ours, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    last = b"\2"
    head = salt + struct.pack("!LB", RECORD_BYTES, len(ours)) + ours
    return head + AESGCM(key).encrypt(nonce, text + last, None)


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)
