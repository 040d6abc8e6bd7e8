"""What only one browser can bring back: derived from the secret in its cookie, and from a random word of the moment.

So what the provider is given needs to be kept nowhere. The database has a hash of secret and word, for one use.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode

from joserfc import jwe
from joserfc.jwk import OctKey

_ALG, _ENC = "dir", "A256GCM"


def hashed(browser: str, word: str) -> bytes:
    """What is kept: only this browser with this word finds it."""
    return _mac(browser, "hash", word)


def derived(browser: str, what: str, word: str) -> str:
    """A value that this browser with this word leads to again: 43 characters (RFC 7636, section 4.1)."""
    return _encoded(_mac(browser, what, word))


def s256(verifier: str) -> str:
    """The challenge for a verifier (RFC 7636, section 4.2)."""
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def sealed(browser: str, text: str) -> bytes:
    """What only this browser can read."""
    return jwe.encrypt_compact({"alg": _ALG, "enc": _ENC}, text, _key(browser), [_ALG, _ENC]).encode()


def unsealed(browser: str, kept: bytes) -> str:
    """The text of what was sealed for this browser."""
    return (jwe.decrypt_compact(kept, _key(browser), [_ALG, _ENC]).plaintext or b"").decode()


def _key(browser: str) -> OctKey:
    return OctKey.import_key(_mac(browser, "seal", ""))


def _mac(browser: str, what: str, word: str) -> bytes:
    return hmac.new(browser.encode(), f"{what}\n{word}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


def _encoded(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()
