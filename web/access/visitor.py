"""Who asks, and what they may."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from starlette.exceptions import HTTPException
from starlette.requests import Request


class Scope(StrEnum):
    """What somebody may: look at figures and plays, as everybody who is let in, ask in SQL, or change what is here."""

    READ = "read"
    SQL = "sql"
    OWN = "own"  # import and hide: for who is at the machine, and no token's


@dataclass(frozen=True, slots=True)
class Visitor:
    """``name`` is the token's, an account of Google's, or ``you``; ``way`` is how they were known."""

    name: str
    scopes: frozenset[Scope]
    way: str

    def may(self, scope: Scope) -> bool:
        """Whether they may do that."""
        return scope in self.scopes


class RefusedError(Exception):
    """A request that is not answered: an HTTP status, and a sentence that says what would be."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


def visitor_of(request: Request) -> Visitor:
    """Who asks; ``Gate`` has let them in."""
    visitor: Visitor = request.state.visitor
    return visitor


def needs(scope: Scope) -> Callable[[Request], Visitor]:
    """A route's dependency: the visitor, who may do that. Raises HTTPException 403."""

    def checked(request: Request) -> Visitor:
        visitor = visitor_of(request)
        return visitor if visitor.may(scope) else _refuse(visitor, scope)

    return checked


def _refuse(visitor: Visitor, scope: Scope) -> NoReturn:
    if scope is Scope.OWN:
        raise HTTPException(403, "This is for who is at the machine itself: open it there, at http://localhost.")
    raise HTTPException(
        403,
        f"The token {visitor.name} may not do that: it needs the scope {scope}. "
        f"heavy-rotation web token add NAME --scope {scope} makes one that may.",
    )
