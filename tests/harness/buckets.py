"""An S3 server as a process of its own, on loopback."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO
from uuid import uuid4
from xml.etree import ElementTree

import httpx2

START_S = 60.0


@dataclass(frozen=True)
class Buckets:
    """A running server."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        """What tells a client of S3 to use it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }

    def make(self) -> str:
        """A new bucket, with a prefix, as a setting names it."""
        bucket = f"starling-{uuid4()}"
        httpx2.put(f"{self.url}/{bucket}", timeout=30).raise_for_status()
        return f"s3://{bucket}/files"

    def keys(self, place: str) -> list[str]:
        """What is in such a bucket."""
        return self._found(place, "?list-type=2")

    def uploads(self, place: str) -> list[str]:
        """What has been begun there, and neither completed nor taken back."""
        return self._found(place, "?uploads")

    def _found(self, place: str, query: str) -> list[str]:
        bucket, _, prefix = place.removeprefix("s3://").partition("/")
        answer = httpx2.get(f"{self.url}/{bucket}{query}", timeout=30).raise_for_status()
        keys = [each.text or "" for each in ElementTree.fromstring(answer.content).iter() if each.tag.endswith("}Key")]  # noqa: S314
        return sorted(key.removeprefix(f"{prefix}/") for key in keys)


@contextmanager
def serving_buckets() -> Iterator[Buckets]:
    """Runs one while the body does."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield Buckets(_address(process, log), process)
        finally:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    for _ in range(int(START_S / 0.05)):
        log.seek(0)
        if found := re.search(rb"Running on (http://127\.0\.0\.1:\d+)", log.read()):
            return found[1].decode()
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    log.seek(0)
    raise AssertionError(log.read().decode())
