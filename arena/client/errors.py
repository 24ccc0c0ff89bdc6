"""What a server refuses, as exceptions: `str(error)` is the server's sentence, `errors` are the fields it is about."""

from __future__ import annotations

from typing import Any

from arena.errors import ArenaError, AuthError, BusyError, ConflictError, NotFoundError, RefusedError


class ApiError(ArenaError):
    """An answer with an error status.

    `errors` are findings with their places: `pointer` into the body, `parameter`, `header`, or `line` of a source.
    """

    def __init__(self, status: int, problem: dict[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = problem
        self.errors: list[dict[str, Any]] = list(problem.get("errors") or ())
        self.violations: list[dict[str, Any]] = list(problem.get("violations") or ())
        self.retry_after = retry_after or 0.0
        self.resets_at: float | None = problem.get("resets_at")
        Exception.__init__(self, str(problem.get("detail") or f"The server answered HTTP {status}."))


class ApiAuthError(ApiError, AuthError):
    """401 or 403: nobody is known, or somebody who may not."""


class ApiNotFoundError(ApiError, NotFoundError):
    """404: there is no such thing."""


class ApiConflictError(ApiError, ConflictError):
    """409: the request contradicts what is there already."""


class ApiRefusedError(ApiError, RefusedError):
    """422 about a source: `violations` are the places that break a rule."""


class ApiBusyError(ApiError, BusyError):
    """429: come back in `retry_after` seconds; `resets_at` is when a budget begins anew."""


_KINDS: dict[int, type[ApiError]] = {
    401: ApiAuthError, 403: ApiAuthError, 404: ApiNotFoundError, 409: ApiConflictError, 429: ApiBusyError,
}  # fmt: skip


def api_error(status: int, problem: dict[str, Any], retry_after: float | None = None) -> ApiError:
    """Return the exception for an answer with an error status."""
    kind = ApiRefusedError if status == 422 and problem.get("violations") else _KINDS.get(status, ApiError)
    return kind(status, problem, retry_after)
