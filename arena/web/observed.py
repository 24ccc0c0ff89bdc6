"""The outermost part of the server: every request gets an id, and its answer is timed."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arena.log import begin_request
from arena.web.access import API
from arena.web.board import PATH as BOARD
from arena.web.measures import Measures

REQUEST_ID = b"x-request-id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_FOLDERS = ("/static/", "/vendor/")


class ObservedMiddleware:
    """ASGI middleware; a client or proxy may send an id of its own as X-Request-ID, and every answer has one."""

    def __init__(self, app: ASGIApp, measures: Measures) -> None:
        self._app = app
        self._measures = measures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on, and look at the head of the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == REQUEST_ID), b"")
        number = begin_request(given.decode("latin-1")).encode()
        began, begun = time.perf_counter(), False

        async def sent(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                if all(name != REQUEST_ID for name, _ in message["headers"]):
                    message["headers"] = [*message["headers"], (REQUEST_ID, number)]
                self._measure(scope, int(message["status"]), began)
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception:
            # What answers it stands outside.
            if not begun:
                self._measure(scope, 500, began)
            raise

    def _measure(self, scope: Scope, status: int, began: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._measures.answered(method, route_of(scope), status, time.perf_counter() - began)


def route_of(scope: Scope) -> str:
    """Return the address of a request with placeholders, so that there are only as many as there are routes."""
    path = scope["path"]
    route = getattr(scope.get("route"), "path", None)
    if route is not None:
        return f"{API}{route}" if path.startswith(f"{API}/") and not route.startswith(API) else str(route)
    if path == BOARD:
        # Answered before it is routed.
        return BOARD
    return next((f"{folder}{{path}}" for folder in _FOLDERS if path.startswith(folder)), "none")
