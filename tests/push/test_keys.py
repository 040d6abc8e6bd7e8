"""The server's key for push services, and its secret."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from app.push.keys import Vapid, kept_secret
from tests.push.test_envelope import decoded

SECRET = b"of the server, and nobody else's"


def test_a_push_service_can_verify_whose_push_it_is() -> None:
    vapid = Vapid(SECRET, "https://sync.example.com")
    scheme, _, parameters = vapid.authorization("https://push.example.com/send/abc", 1_000_000).partition(" ")
    told = dict(each.split("=", 1) for each in parameters.split(", "))
    assert (scheme, told["k"]) == ("vapid", vapid.public_key)
    signed, _, signature = told["t"].rpartition(".")
    head, claims = (json.loads(decoded(part)) for part in signed.split("."))
    assert head == {"typ": "JWT", "alg": "ES256"}
    expected = {"aud": "https://push.example.com", "exp": 1_000_000 + 12 * 3600, "sub": "https://sync.example.com"}
    assert claims == expected
    raw = decoded(signature)
    pair = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(told["k"]))
    key.verify(pair, signed.encode(), ECDSA(SHA256()))


def test_the_key_is_the_secret_s() -> None:
    one, same, other = (Vapid(each, "https://a.example.com").public_key for each in (SECRET, SECRET, b"x" * 32))
    assert one == same != other


def test_all_who_ask_at_once_get_one_secret_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(kept_secret, [path] * 8))
    assert found == {kept_secret(path)}
    assert len(path.read_bytes()) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret"]
