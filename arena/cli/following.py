"""A submission shown as it goes: its states, and the model's answer while it is written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from arena.cli.output import complain
from arena.config import client_defaults

FINAL = frozenset({"admitted", "rejected", "failed", "cancelled"})
Request = Callable[[str, str, str], Any]


def follow(request: Request, url: str, submission_id: str) -> dict[str, Any]:
    """Print a submission's states and the model's answer as it is written; return how it ended.

    `request` sends a request and returns the answer's document. Interrupted, it cancels the submission.
    """
    screen = _Screen()
    try:
        while True:
            for kind, data in _events(url, submission_id):
                if kind == "text":
                    screen.write(data)
                elif kind == "submission" and screen.show(data["status"]):
                    ended: dict[str, Any] = data
                    return ended
            # The stream has ended before the submission: the server restarts, or has closed an idle connection.
            found: dict[str, Any] = request(url, "GET", f"/strategies/{submission_id}")
            if screen.show(found["status"]):
                return found
            time.sleep(0.5)
    except KeyboardInterrupt:
        request(url, "POST", f"/strategies/{submission_id}/cancel")
        complain(f"Cancelled: submission {submission_id}.")
        raise


class _Screen:
    """Text on stdout, states on stderr, so that a pipe gets the model's words alone."""

    def __init__(self) -> None:
        self._status = ""
        self._attempt = 0
        self._shown = 0
        self._open_line = False

    def write(self, data: dict[str, Any]) -> None:
        """Print what is new of an answer."""
        if data["attempt"] != self._attempt:
            self._attempt, self._shown = data["attempt"], 0
        new = data["text"][max(0, self._shown - data["offset"]) :]
        self._shown = max(self._shown, data["offset"] + len(data["text"]))
        # A model's words may hold what would steer a terminal.
        sys.stdout.write("".join(c for c in new if c in "\n\t" or c.isprintable()))
        sys.stdout.flush()
        if new:
            self._open_line = not new.endswith("\n")

    def show(self, status: str) -> bool:
        """Print a state that is new and say whether it is the last one."""
        if status != self._status:
            self._status = status
            if self._open_line:
                sys.stdout.write("\n")
                sys.stdout.flush()
                self._open_line = False
            complain(f"[{status}]")
        return status in FINAL


def _events(url: str, submission_id: str) -> Any:
    """Yield the events of a submission as kind and data, until the server ends the stream."""
    import json

    import httpx2

    default, token = client_defaults()
    base = (url or default).rstrip("/")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"{base}/api/v1/strategies/{submission_id}/events"
    kind, data = "message", ""
    try:
        with (
            httpx2.Client(timeout=httpx2.Timeout(20, read=60), trust_env=False) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            if answer.status_code != 200:
                return
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:"):
                    data += line[5:].strip()
                elif not line and data:
                    yield kind, json.loads(data)
                    kind, data = "message", ""
    except httpx2.HTTPError:
        return
