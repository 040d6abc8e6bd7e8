"""What a principal may do."""

import math
from uuid import UUID, uuid4

import msgspec
import pytest

from app.actions.access import require, require_device
from app.errors import DeviceRequired, InsufficientScope
from app.model import Principal, Scope

ANYBODY = Principal(
    user_id=uuid4(),
    feed_id=uuid4(),
    client="chatgpt",
    device_id=None,
    scopes=frozenset(),
    token_hash=b"",
    good_until=math.inf,
    auth=0,
)


@pytest.mark.parametrize("scope", Scope)
def test_a_scope_allows_what_it_names_and_nothing_else(scope: Scope) -> None:
    principal = msgspec.structs.replace(ANYBODY, scopes=frozenset({scope.value}))
    require(principal, scope)
    for other in set(Scope) - {scope}:
        with pytest.raises(InsufficientScope) as refused:
            require(principal, other)
        assert refused.value.members == {"scope": other.value}
        assert other.value in str(refused.value)


def test_a_device_is_a_device_whatever_its_scopes() -> None:
    device = UUID(int=7)
    assert require_device(msgspec.structs.replace(ANYBODY, device_id=device)) == device
    with pytest.raises(DeviceRequired):
        require_device(msgspec.structs.replace(ANYBODY, scopes=frozenset(Scope)))
