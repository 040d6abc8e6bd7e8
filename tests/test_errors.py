"""Errors: a sentence for people, a code for programs, members that help."""

import pytest

from app.actions.answers import problem
from app.errors import InvalidField, NotFound, StarlingError, Unavailable


def test_the_docstring_is_the_sentence() -> None:
    assert str(NotFound()) == NotFound().detail == "There is no such thing, or it is not yours."
    assert str(NotFound("No such item.")) == "No such item."


def test_a_problem_names_everything() -> None:
    assert problem(InvalidField("title", "title: too long", limit=500)) == {
        "type": "about:blank",
        "title": "A value is missing, of the wrong type or out of range",
        "status": 422,
        "detail": "title: too long",
        "code": "invalid",
        "field": "title",
        "limit": 500,
    }


def test_what_passes_can_be_tried_again() -> None:
    error = Unavailable(retry_after=3)
    assert (error.retry_after, problem(error)["retryable"]) == (3, True)


def leaves(kind: type[StarlingError]) -> list[type[StarlingError]]:
    return [kind, *(each for child in kind.__subclasses__() for each in leaves(child))]


@pytest.mark.parametrize("kind", leaves(StarlingError), ids=lambda kind: str(kind.__name__))
def test_every_error_can_be_rendered(kind: type[StarlingError]) -> None:
    rendered = problem(kind("x") if kind is InvalidField else kind())
    assert rendered.keys() >= {"type", "title", "status", "detail", "code"}
    assert rendered["status"] == kind.status
