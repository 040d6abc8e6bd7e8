"""A sign-in provider of the test's own, honest until it is told otherwise. It signs without the library that checks."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "starling", "of no worth"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KID = "key-1"


def encoded(value: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def public(key: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    """The JSON Web Key."""
    numbers = key.public_key().public_numbers()
    return {"kty": "RSA", "kid": KID, "use": "sig", "n": _number(numbers.n), "e": _number(numbers.e), **more}


def signed(claims: Any, key: rsa.RSAPrivateKey = KEY, **header: Any) -> str:
    """A token, RS256 unless the header says otherwise; it then has the signature that such a header asks for."""
    head = {"alg": "RS256", "kid": KID, "typ": "JWT", **header}
    text = f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}"
    if head["alg"] == "none":
        return f"{text}."
    if str(head["alg"]).startswith("HS"):
        secret = json.dumps(public(key)).encode()
        return f"{text}.{encoded(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
    return f"{text}.{encoded(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def honest(issuer: str, nonce: str, **more: Any) -> dict[str, Any]:
    """The claims of a token that is as it has to be."""
    now = int(time.time())
    claims = {"iss": issuer, "aud": CLIENT, "sub": "ada", "nonce": nonce, "iat": now, "exp": now + 300}
    return {**claims, "email": "ada@example.com", "email_verified": True, **more}


@dataclass
class Forger:
    """What it answers, by path: a status and a body, bytes or JSON; and what it was asked.

    A body may be made of the request's.
    """

    issuer: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    """Path, headers and body of every request."""
    holds: threading.Event = field(default_factory=threading.Event)
    """Set while it answers at once."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Its description."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
        }

    def be_honest(self) -> None:
        """As at the beginning."""
        self.answers = {
            "/.well-known/openid-configuration": (200, self.metadata),
            "/jwks": (200, {"keys": [public(KEY)]}),
        }

    def say(self, token: str) -> None:
        """The token endpoint's answer."""
        self.answers["/token"] = (200, {"id_token": token, "access_token": "at", "token_type": "Bearer"})

    def settings(self) -> dict[str, Any]:
        """For a server that lets people sign in through it."""
        return {"oidc_issuer": self.issuer, "oidc_client_id": CLIENT, "oidc_client_secret": SECRET}


@contextmanager
def forger() -> Iterator[Forger]:
    """It listens while the body runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            found.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            found.holds.wait(60)
            status, answer = found.answers.get(self.path, (404, {}))
            answer = answer(body) if callable(answer) else answer
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            with suppress(ConnectionError):  # who asked may have gone
                self.send_response(status)
                for name, value in {"content-length": str(len(content)), **found.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Forger(f"http://127.0.0.1:{server.server_port}")
    found.holds.set()
    found.be_honest()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield found
    finally:
        found.holds.set()
        server.shutdown()
        thread.join()
        server.server_close()
