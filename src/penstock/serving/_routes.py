"""RouteTable: from a path to the handler and parameters; pure, and used by every call."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from penstock.core import PenstockError, Permission
from penstock.http import Call, HttpError, Reply

ANY = "any"
_LONG_PATH = 300  # longer ones are no names of ours, and would fill the memory
KNOWN_ROUTES = (
    "Routes: /models/{name}/predict, /models/{name}/explain, /models/{name}/truth, /v2/…, /metrics."
)


@dataclass(frozen=True, slots=True)
class Route:
    """A path's pattern with a handler.

    Args:
        pattern: Path segments between slashes; ``{name}`` matches any single segment.
        method: HTTP method.
        name: Name in the metrics.
        handler: Answers a call.
        render: Renders an error in this protocol's format.
        permission: Required permission in the project of the model; None if callers are not
            identified. Without a default: a route that declares none stops the start-up.
    """

    pattern: str
    method: str
    name: str
    handler: Callable[[Call], Awaitable[Reply]]
    render: Callable[[PenstockError], Reply]
    permission: Permission | None


class RouteTable:
    """A table that finds routes by path.

    Args:
        routes: The routes, never empty; the first sets the format of errors for unknown paths.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = [(route, tuple(route.pattern.split("/"))) for route in routes]
        self._unknown = Route("", ANY, "unknown", _not_found, routes[0].render, None)
        self._known = lru_cache(maxsize=1024)(self._search)  # callers ask for the same few paths

    def find(self, path: str) -> tuple[Route, Mapping[str, str]]:
        """Search for the route of a path, and the parameters.

        Args:
            path: Without a leading slash; a trailing slash is ignored.
        """
        return self._known(path) if len(path) <= _LONG_PATH else self._search(path)

    def _search(self, path: str) -> tuple[Route, Mapping[str, str]]:
        parts = path.rstrip("/").split("/")
        for route, pattern in self._routes:
            if len(pattern) == len(parts):
                values = _match(pattern, parts)
                if values is not None:
                    return route, values
        return self._unknown, {}


def _match(pattern: Sequence[str], parts: Sequence[str]) -> dict[str, str] | None:
    values: dict[str, str] = {}
    for expected, part in zip(pattern, parts, strict=True):
        if expected[:1] == "{" and part:
            values[expected[1:-1]] = part
        elif expected != part:
            return None
    return values


async def _not_found(_call: Call) -> Reply:
    raise HttpError(404, "There is nothing at this path.", fix=KNOWN_ROUTES)
