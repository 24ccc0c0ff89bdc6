"""A submission shown as it goes: its states, and the model's answer while it is written."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from arena.cli.output import complain

if TYPE_CHECKING:
    from arena.client import Submission


def follow(submission: Submission) -> None:
    """Print a submission's states and the model's answer as it is written; interrupted, cancel the submission."""
    screen = _Screen()
    try:
        for event in submission.events():
            if event.kind == "text":
                screen.write(event.data)
            elif event.kind == "submission":
                screen.show(submission.status, last=submission.ended)
    except KeyboardInterrupt:
        submission.cancel()
        complain(f"Cancelled: submission {submission.id}.")
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

    def show(self, status: str, *, last: bool) -> None:
        """Print a state that is new; the last one ends the open line only, as the report tells it."""
        if status != self._status:
            self._status = status
            if self._open_line:
                sys.stdout.write("\n")
                sys.stdout.flush()
                self._open_line = False
            if not last:
                complain(f"[{status}]")
