"""What ChatGPT accepts as an OpenAPI document, as rules: from its documentation and from what its editor says.

A rule takes a document and yields what is wrong, each with where it is. None of them changes anything.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from app.doors.examples import wrong_examples
from app.doors.walk import Document, objects, of, operations, parameters, schemas

MAX_BYTES = 1_000_000
MAX_OPERATIONS = 30
MAX_WORDS = 300
MAX_PARAMETER_WORDS = 700
CONSEQUENTIAL = "x-openai-isConsequential"
FILES_IN = "openaiFileIdRefs"
_OPERATION_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


class Finding(NamedTuple):
    """Something that a host would not accept."""

    where: str
    words: str


Rule = Callable[[Document], Iterator[Finding]]


def check(document: Document) -> list[Finding]:
    """All that is wrong with it."""
    return [finding for rule in RULES for finding in rule(document)]


def is_small(document: Document) -> Iterator[Finding]:
    """At most 1 MB."""
    size = len(json.dumps(document, ensure_ascii=False).encode())
    if size > MAX_BYTES:
        yield Finding("document", f"{size:,} bytes are more than {MAX_BYTES:,}.")


def has_version(document: Document) -> Iterator[Finding]:
    """OpenAPI 3.0 or 3.1."""
    if re.fullmatch(r"3\.[01]\.\d+", str(document.get("openapi"))) is None:
        yield Finding("openapi", "Must be 3.0 or 3.1, such as 3.0.1.")


def has_one_server(document: Document) -> Iterator[Finding]:
    """One absolute https address."""
    servers = of(document.get("servers"), list)
    if len(servers) != 1:
        yield Finding("servers", f"Exactly one is needed, and there are {len(servers)}.")
    for each in servers:
        url = urlsplit(str(of(each, dict).get("url")))
        if url.scheme != "https" or not url.hostname:
            yield Finding("servers", "The url must be absolute and begin with https://.")


def has_operations(document: Document) -> Iterator[Finding]:
    """1 to 30 operations, each with an id of its own."""
    found = list(operations(document))
    if not 1 <= len(found) <= MAX_OPERATIONS:
        yield Finding("paths", f"{len(found)} operations; 1 to {MAX_OPERATIONS} can be.")
    ids = Counter(operation.get("operationId") for _, operation in found)
    for where, operation in found:
        name = operation.get("operationId")
        if not isinstance(name, str) or _OPERATION_ID.fullmatch(name) is None:
            yield Finding(where, "Needs an operationId of letters, digits, _ and -, 64 at most.")
        elif ids[name] > 1:
            yield Finding(where, f"The operationId {name} stands at another operation, too.")


def is_described(document: Document) -> Iterator[Finding]:
    """A summary and a description for each operation, and a success that it may answer."""
    for where, operation in operations(document):
        for member in ("summary", "description"):
            words = operation.get(member)
            if not isinstance(words, str) or not words.strip():
                yield Finding(where, f"Has no {member}.")
            elif len(words) > MAX_WORDS:
                yield Finding(where, f"The {member} has {len(words)} characters; {MAX_WORDS} can be.")
        if not any(str(status).startswith("2") for status in of(operation.get("responses"), dict)):
            yield Finding(where, "Describes no success among its responses.")


def has_described_parameters(document: Document) -> Iterator[Finding]:
    """Parameters stand where they are used, with a description."""
    for where, each in parameters(document):
        if "$ref" in each:
            yield Finding(where, f"The parameter {each['$ref']} is a reference: such an operation is skipped.")
            continue
        name, words = each.get("name"), each.get("description")
        if not isinstance(words, str) or not words.strip():
            yield Finding(where, f"The parameter {name} has no description.")
        elif len(words) > MAX_PARAMETER_WORDS:
            yield Finding(
                where, f"The parameter {name} has {len(words)} characters of description; {MAX_PARAMETER_WORDS} can be."
            )


def has_plain_schemas(document: Document) -> Iterator[Finding]:
    """No unions, null only where `nullable` makes it so (OpenAPI 3.0.3), and properties for every object."""
    for where, each in schemas(document):
        for union in ("oneOf", "anyOf"):
            if isinstance(each.get(union), list):
                yield Finding(where, f"{union} is not understood.")
        kind = each.get("type")
        if isinstance(kind, list) or kind == "null":
            yield Finding(where, "A type must be one word, and not null: use `nullable`.")
        if each.get("nullable") is True and (not isinstance(kind, str) or "enum" in each):
            yield Finding(where, "`nullable` allows null only beside a `type`, and not beside an enum.")
        if kind == "object" and not isinstance(each.get("properties"), dict):
            yield Finding(where, "An object needs `properties`, empty ones if it may hold anything.")


def has_security(document: Document) -> Iterator[Finding]:
    """Top-level security, without which nobody is asked to sign in; OAuth on the server's own host."""
    schemes = of(of(document.get("components"), dict).get("securitySchemes"), dict)
    required = of(document.get("security"), list)
    names = {name for each in required for name in of(each, dict)}
    if not names:
        yield Finding("security", "Is missing at the top: nobody would be asked to sign in.")
    for name in names - set(schemes):
        yield Finding("security", f"{name} is not among components.securitySchemes.")
    servers = [urlsplit(str(of(each, dict).get("url"))).hostname for each in of(document.get("servers"), list)]
    for where, each in objects(schemes, "components.securitySchemes"):
        for member in ("authorizationUrl", "tokenUrl", "refreshUrl"):
            if member in each and urlsplit(str(each[member])).hostname not in servers:
                yield Finding(where, f"{member} must be on the server's own host.")


def says_what_writes(document: Document) -> Iterator[Finding]:
    """Every write says whether the person is asked each time."""
    for where, operation in operations(document):
        if not where.startswith(("GET ", "HEAD ")) and not isinstance(operation.get(CONSEQUENTIAL), bool):
            yield Finding(where, f"Writes, and does not say {CONSEQUENTIAL}: true or false.")


def takes_files_as_it_must(document: Document) -> Iterator[Finding]:
    """Files of the conversation come in a property of a fixed name, declared as an array of strings."""
    for where, each in schemas(document):
        files = of(each.get("properties"), dict).get(FILES_IN)
        if files is not None and (files.get("type"), of(files.get("items"), dict).get("type")) != ("array", "string"):
            yield Finding(where, f"{FILES_IN} must be an array of strings.")


def has_sound_references(document: Document) -> Iterator[Finding]:
    """References lead somewhere within the document."""
    for where, each in objects(document, "document"):
        target = each.get("$ref")
        if isinstance(target, str) and not _leads(document, target):
            yield Finding(where, f"{target} leads nowhere in this document.")


def _leads(document: Document, target: str) -> bool:
    first, *parts = target.split("/")
    found: Any = document
    for part in parts:
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return first == "#"


def has_true_examples(document: Document) -> Iterator[Finding]:
    """Examples are what their schemas say."""
    if not any(has_sound_references(document)):
        yield from (Finding(where, f"The example is wrong: {words}") for where, words in wrong_examples(document))


RULES: tuple[Rule, ...] = (
    is_small,
    has_version,
    has_one_server,
    has_operations,
    is_described,
    has_described_parameters,
    has_plain_schemas,
    has_security,
    says_what_writes,
    takes_files_as_it_must,
    has_sound_references,
    has_true_examples,
)
