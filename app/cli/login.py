"""`starling login`: makes this machine a device of a server (RFC 8628)."""

import json
import os
import platform
import time
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

import click
import httpx2

from app.auth.clients import OWN
from app.errors import StarlingError
from app.model import DeviceKind

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
TIMEOUT_S = 30
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class CannotSignIn(StarlingError):
    """The server did not let this machine in."""

    code = "cannot_sign_in"


@click.command()
@click.argument("server", default="http://127.0.0.1:8000")
@click.option("--name", default=lambda: platform.node() or "command line", help="What the device is called.")
@click.option("--kind", type=click.Choice(get_args(DeviceKind)), default="cli", show_default=True)
def login(server: str, name: str, kind: str) -> None:
    """Sign this machine in to a server: you allow it in a browser, on any machine."""
    server = _checked(server)
    with httpx2.Client(base_url=server, timeout=TIMEOUT_S) as http:
        named = {"client_id": OWN.id, "device_name": name, "device_kind": kind}
        asked = _post(http, "/oauth/device_authorization", named)
        if "error" in asked:
            raise CannotSignIn(str(asked.get("error_description") or asked["error"]))
        click.echo(f"Open {asked['verification_uri']} and type {asked['user_code']}", err=True)
        token = _wait(http, asked)
    path = keep(server, token)
    click.echo(f"Signed in to {server} as {name}. The token is in {path}.", err=True)


def _checked(server: str) -> str:
    parts = urlsplit(server)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise click.BadParameter("must be an https address, or one of this machine", param_hint="SERVER")
    return server.rstrip("/")


def _wait(http: httpx2.Client, asked: dict[str, Any]) -> dict[str, Any]:
    interval, ends = float(asked["interval"]), time.monotonic() + float(asked["expires_in"])
    form = {"client_id": OWN.id, "grant_type": DEVICE_GRANT, "device_code": asked["device_code"]}
    while time.monotonic() < ends:
        time.sleep(interval)
        answer = _post(http, "/oauth/token", form)
        error = answer.get("error")
        if error is None:
            return answer
        if error == "slow_down":
            interval += 5
        elif error != "authorization_pending":
            raise CannotSignIn("It was not allowed." if error == "access_denied" else f"The server says: {error}.")
    raise CannotSignIn("The code has ended; nobody allowed it.")


def _post(http: httpx2.Client, path: str, form: dict[str, str]) -> dict[str, Any]:
    try:
        answer = http.post(path, data=form)
        found = answer.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise CannotSignIn(f"{http.base_url} does not answer as a Starling server does.") from error
    if not isinstance(found, dict) or (answer.status_code != 200 and "error" not in found):
        raise CannotSignIn(f"The server answers {answer.status_code}.")
    return found


def keep(server: str, token: dict[str, Any]) -> Path:
    """Stores the token beside those for other servers, readable by this account alone; where."""
    directory = Path(click.get_app_dir("starling"))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "credentials.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    kept = {name: token[name] for name in ("access_token", "refresh_token", "device_id", "scope") if name in token}
    known[server] = {**kept, "expires_at": int(time.time()) + int(token["expires_in"])}
    fresh = directory / f".credentials.{os.getpid()}"
    with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        json.dump(known, file, indent=2)
    fresh.replace(path)
    return path
