"""The caller is asked for before a byte of the body is read: no stranger makes the server parse anything."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.responses import Response

from quadrat.base import origin
from quadrat.identity.types import Caller

Found = TypeVar("Found")
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
ShortWay = Callable[[Request], Awaitable[Response | None]]
_ANSWERS = "quadrat.guards"
_SHORT_WAY = "quadrat_short_way"


class Guard(Generic[Found]):
    """A dependency that a `GuardedRoute` runs first. It is asked once per request.

    Args:
        identify: Reads one API's credential and finds the caller; raises a refusal, or gives None where that is fine.
    """

    def __init__(self, identify: Callable[[Request], Awaitable[Found]]) -> None:
        self._identify = identify

    async def __call__(self, request: Request) -> Found:
        """What `identify` found."""
        answers: dict[Guard[Any], Any] = request.scope.setdefault(_ANSWERS, {})
        if self not in answers:
            answers[self] = await self._identify(request)
        found: Found = answers[self]
        if isinstance(found, Caller):
            origin.identified(found.uuid, found.email)
        return found


class GuardedRoute(APIRoute):
    """A route whose guards stand before the body.

    FastAPI alone reads and parses the body first, so a malformed one would be answered with 400 to anyone.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind its guards."""
        handle = super().get_route_handler()
        guards = tuple(_guards(self.dependant))
        short_way: ShortWay | None = getattr(self.endpoint, _SHORT_WAY, None)

        async def guarded(request: Request) -> Response:
            for guard in guards:
                await guard(request)
            answer = None if short_way is None else await short_way(request)
            return await handle(request) if answer is None else answer

        return guarded


def with_short_way(short_way: ShortWay) -> Callable[[Endpoint], Endpoint]:
    """Have an endpoint's guarded route try this first; where it gives None, the request goes the framework's way.

    For operations whose speed people measure: parsing, checking and injecting what nearly all callers send alike costs
    the framework more than the operation. It takes what it is sure of; everything else, mistakes above all, is left to
    the endpoint, which documents the operation and has to do the same.
    """

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _SHORT_WAY, short_way)
        return endpoint

    return mark


class BareRoute(APIRoute):
    """Hands the request to its endpoint as it is, for operations whose speed people measure.

    The framework's dependencies and models cost more than what such an operation does; it looks after itself, and says
    in ``openapi_extra`` what the framework would have known.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The endpoint itself."""
        return self.endpoint


def new_router(tag: str) -> APIRouter:
    """A router for the operations of one resource, with guarded routes."""
    return APIRouter(tags=[tag], route_class=GuardedRoute)


def _guards(dependant: Dependant) -> Iterator[Guard[Any]]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Guard):
            yield dependency.call
        yield from _guards(dependency)
