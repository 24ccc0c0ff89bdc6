"""What both clients share and no network is needed for: headers, answers, errors, and when to try again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2

from arena.client.errors import api_error
from arena.errors import ServerUnreachableError

DEFAULT_URL = "http://127.0.0.1:8000"
API = "/api/v1"
PAGE = 1000  # rows of one request; the server gives no more
SUBMISSION_ENDS = frozenset({"admitted", "rejected", "failed", "cancelled"})
JOB_ENDS = frozenset({"done", "failed", "cancelled"})
STREAM_TIMEOUT = httpx2.Timeout(20, read=60)  # the server sends a sign of life every 15 s
LONGEST_PAUSE = 30.0  # a server that asks for a longer wait is reported instead
_REPEATED = frozenset({"GET", "HEAD", "DELETE"})
_TRY_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    kind: str
    data: Any
    id: str = ""


def headers_of(token: str) -> dict[str, str]:
    """Return the headers of every request."""
    return {"authorization": f"Bearer {token}"} if token else {}


def told(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the parameters that are given; None leaves one to the server."""
    return {name: value for name, value in (parameters or {}).items() if value is not None}


def quoted(name: str) -> str:
    """Return a name as a part of an address."""
    return quote(name, safe="")


def is_repeatable(method: str, headers: Mapping[str, str]) -> bool:
    """Say whether the same request twice does no more than once."""
    return method in _REPEATED or "Idempotency-Key" in headers


def backoff(attempt: int) -> float:
    """Return the seconds to wait after so many tries: doubled each time, with jitter."""
    return float(min(0.25 * 2**attempt * random.uniform(1.0, 1.5), LONGEST_PAUSE))


def pause_before_retry(answer: httpx2.Response, attempt: int) -> float | None:
    """Return the seconds after which the same request may succeed, None where it would not."""
    if answer.status_code not in _TRY_AGAIN:
        return None
    wished = _seconds(answer)
    if wished is not None and wished > LONGEST_PAUSE:
        return None
    return max(backoff(attempt), wished or 0.0)


def _seconds(answer: httpx2.Response) -> float | None:
    try:
        return max(0.0, float(answer.headers.get("retry-after", "")))
    except ValueError:
        return None


def unreachable(url: str, error: Exception) -> ServerUnreachableError:
    """Return what is said of a server that does not answer."""
    return ServerUnreachableError(f"No arena answers at {url} ({error}). Start one with `arena serve`.")


def raise_problem(answer: httpx2.Response) -> None:
    """Raise ApiError where an answer has an error status; its body must have been read."""
    if answer.status_code < 400:
        return
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    raise api_error(answer.status_code, problem if isinstance(problem, dict) else {}, _seconds(answer))


def document_of(answer: httpx2.Response, url: str) -> Any:
    """Return an answer's JSON; ServerUnreachableError where it is something else, so that it comes from no arena."""
    kind = answer.headers.get("content-type", "")
    if not answer.content:
        return None
    if not kind.startswith("application/json"):
        raise ServerUnreachableError(f"What answers at {url} is no arena (it sent {kind or 'something unnamed'}).")
    return answer.json()
