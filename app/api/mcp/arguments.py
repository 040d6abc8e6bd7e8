"""What a tool takes: the parameters and the body of an action's handler, as one object."""

from collections.abc import Iterator, Mapping
from typing import Any

from litestar.handlers import HTTPRouteHandler
from litestar.params import KwargDefinition, PathParameter, QueryParameter
from litestar.types import Empty
from litestar.typing import FieldDefinition
from pydantic import BaseModel, Field, ValidationError, create_model

from app.actions.bodies import Body
from app.actions.invalid import invalid_field
from app.api.openapi.schemas import Schema, cleaned

GIVEN = frozenset({"services", "principal", "caller"})
"""What the door knows; the rest of what handlers take has to stand in the arguments."""
BODY = "data"
_BOUNDS = ("gt", "ge", "lt", "le", "min_length", "max_length")
Parameters = Mapping[str, FieldDefinition]


class Arguments:
    """Of one handler. Raises `TypeError` for one that takes what only an HTTP request has."""

    def __init__(self, handler: HTTPRouteHandler) -> None:
        self._providers = handler.resolve_dependencies()
        self._parameters: Parameters = handler.parsed_fn_signature.parameters
        body = self._parameters[BODY].annotation if BODY in self._parameters else None
        self._body: type[BaseModel] | None = body
        fields: dict[str, Any] = dict(self._fields(self._parameters))
        base = body or Body
        self._model = create_model(f"{base.__name__}Arguments", __base__=base, **fields)

    @property
    def schema(self) -> Schema:
        """As JSON Schema."""
        schema = cleaned(self._model.model_json_schema())
        schema.pop("examples", None)  # the body's, which lack the parameters
        return schema

    async def bind(self, sent: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the handler. Raises `InvalidField`."""
        try:
            values = self._model.model_validate(sent)
        except ValidationError as error:
            raise invalid_field([{**each} for each in error.errors(include_url=False)], self._model) from None
        return await self._bound(self._parameters, values, given)

    def _fields(self, parameters: Parameters) -> Iterator[tuple[str, tuple[Any, Any]]]:
        for name, each in parameters.items():
            if name in GIVEN or name == BODY:
                continue
            if isinstance(each.kwarg_definition, (PathParameter, QueryParameter)):
                yield name, (each.annotation, _field(each, each.kwarg_definition))
            elif name in self._providers:
                yield from self._fields(self._providers[name].parsed_fn_signature.parameters)
            else:
                raise TypeError(f"A tool has no {name} to give.")

    async def _bound(self, parameters: Parameters, values: BaseModel, given: Mapping[str, Any]) -> dict[str, Any]:
        bound: dict[str, Any] = {}
        for name in parameters:
            if name in GIVEN:
                bound[name] = given[name]
            elif name == BODY:
                bound[name] = self._body_of(values)
            elif name in self._providers:
                provider = self._providers[name]
                bound[name] = await provider(
                    **await self._bound(provider.parsed_fn_signature.parameters, values, given)
                )
            else:
                bound[name] = getattr(values, name)
        return bound

    def _body_of(self, values: BaseModel) -> BaseModel | None:
        """The body alone, which remembers what was sent of it."""
        if self._body is None:
            return None
        names = self._body.model_fields.keys()
        said = {name: getattr(values, name) for name in names}
        return self._body.model_construct(values.model_fields_set & names, **said)


def _field(parameter: FieldDefinition, declared: KwargDefinition) -> Any:
    bounds = {name: getattr(declared, name) for name in _BOUNDS if getattr(declared, name) is not None}
    default = ... if parameter.default is Empty else parameter.default
    return Field(default, description=declared.description, **bounds)
