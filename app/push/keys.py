"""The server's key for push services (VAPID, RFC 8292), derived from its secret, and where that is kept."""

import os
import secrets
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc import jwt
from joserfc.jwk import ECKey

from app.push.envelope import point

LIFE_S = 12 * 3600
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256."""


class Vapid:
    """Signs for one server, which push services know by its public key."""

    def __init__(self, secret: bytes, subject: str) -> None:
        """`subject`: a URL at which the server's operator can be found."""
        # 16 bytes more than the order has make every scalar as likely as any other (FIPS 186-5, A.2.1).
        seed = HKDF(hashes.SHA256(), 48, None, b"starling vapid").derive(secret)
        private = derive_private_key(int.from_bytes(seed, "big") % (_ORDER - 1) + 1, SECP256R1())
        self._key = ECKey.import_key(private)
        self._subject = subject
        self.public_key = encoded(point(private.public_key()))
        """What browsers subscribe with, as `applicationServerKey`."""

    def authorization(self, endpoint: str, now: float) -> str:
        """The header for a push to this endpoint."""
        parts = urlsplit(endpoint)
        claims = {"aud": f"https://{parts.hostname}", "exp": int(now) + LIFE_S, "sub": self._subject}
        return f"vapid t={jwt.encode({'typ': 'JWT', 'alg': 'ES256'}, claims, self._key)}, k={self.public_key}"


def encoded(value: bytes) -> str:
    """In base64url without padding."""
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def kept_secret(path: Path) -> bytes:
    """The secret in a file that its owner alone can read; made if there is none, by one of all who ask at once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_urlsafe(32).encode())
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # somebody else was quicker: theirs counts
                os.link(new, path)
        finally:
            new.unlink()
    return path.read_bytes()
