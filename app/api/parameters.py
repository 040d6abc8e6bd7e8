"""Query parameters as handlers declare them: which there are, and what each may be."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from litestar import Request
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.typing import FieldDefinition

from app.actions.invalid import MAX_NAME
from app.errors import InvalidField


@cache
def declared(handler: BaseRouteHandler) -> Mapping[str, FieldDefinition]:
    """The parameters of a handler and of what it depends on, by name."""
    return dict(_declared(handler, handler.parsed_fn_signature.parameters))


def _declared(
    handler: BaseRouteHandler, parameters: Mapping[str, FieldDefinition]
) -> Iterator[tuple[str, FieldDefinition]]:
    providers = handler.resolve_dependencies()
    for name, each in parameters.items():
        if name in providers:
            yield from _declared(handler, providers[name].parsed_fn_signature.parameters)
        elif isinstance(each.kwarg_definition, QueryParameter):
            yield name, each


def check(request: Request[Any, Any, Any]) -> None:
    """Raises `InvalidField` for a parameter that comes twice, and for a value that is none of the choices.

    The framework takes the last of several, and the word null for no value.
    """
    for name, field in declared(request.route_handler).items() if request.scope["query_string"] else ():
        values = request.query_params.getall(name, [])
        allowed = _choices(field)
        if len(values) > 1 and not field.is_non_string_sequence:
            raise InvalidField(name, f"{name}: came {len(values)} times, and once is what it can.")
        if values and allowed and values[0] not in allowed:
            raise InvalidField(name, f"{name}: must be one of {', '.join(allowed)}.", allowed=allowed)


def refuse_unknown(request: Request[Any, Any, Any]) -> None:
    """Raises `InvalidField` for a parameter that nothing reads: an answer without regard to it would mislead."""
    if request.scope["query_string"]:
        known = declared(request.route_handler)
        for name in request.query_params:
            if name not in known:
                field = name[:MAX_NAME]
                raise InvalidField(field, f"{field}: there is no such parameter.", allowed=sorted(known))


def _choices(field: FieldDefinition) -> list[str]:
    """What the parameter may be, if it is one of only some values."""
    return [str(value) for each in (field, *field.inner_types) if each.is_literal for value in each.args]
