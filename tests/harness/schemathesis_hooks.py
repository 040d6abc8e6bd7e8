"""What schemathesis must know of this API beyond its documents. It loads this file by SCHEMATHESIS_HOOKS."""

import os
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

OWN_DEVICE = os.environ.get("OWN_DEVICE")
LONGEST_POLL_S = 0.1
UNTOLD = {
    "audience",
    "cursor",
    "data",
    "device_kind",
    "devices",
    "endpoint",
    "expires_at",
    "keys",
    "openaiFileIdRefs",
    "provider",
}
"""What no schema can say: which devices there are; what a cursor is; that data has 64 bits a number, 64 KiB and 32
levels; which hosts are public; that the calendar ends; what a key is; that the host delivers objects where it wants
strings declared; whose models there are."""


@schemathesis.hook
def before_load_schema(_: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    """Says that OAuth ends in a bearer token: schemathesis takes tokens away only where it knows their place."""
    for scheme in raw_schema["components"]["securitySchemes"].values():
        if scheme["type"] == "oauth2":
            scheme |= {"type": "http", "scheme": "bearer"}


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], kwargs: dict[str, Any]) -> None:
    """Keeps the run from revoking the device that it is, from long polls that wait for nobody, and from tickets."""
    if case.method == "DELETE" and case.path_parameters.get("device_id") == OWN_DEVICE:
        case.path_parameters["device_id"] = str(uuid4())
    case.query.pop("ticket", None)  # both a ticket and the token are too many
    wait = case.query.get("wait")
    if isinstance(wait, (int, float)) and LONGEST_POLL_S < wait <= 30:
        case.query["wait"] = LONGEST_POLL_S


@schemathesis.hook
def filter_failure(
    _: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: schemathesis.Response
) -> bool:
    """Whether it is one: not where a value breaks a rule that the document cannot tell of, or keeps one it does not."""
    if isinstance(failure, RejectedPositiveData):
        return response.json().get("field", "").partition(".")[0] not in UNTOLD
    if isinstance(failure, AcceptedNegativeData):
        return not (isinstance(case.body, dict) and case.body.get("status", "") is None)
    return True
