"""Everything that can be our fault or the caller's, and who catches it.

    ArenaError
      SettingsError        the command line prints it and exits 2
      MarketDataError      a market file cannot be read: the command line exits 2 or 1
      FeedError            a live feed gave up for good: the market names it on /status
      NotFoundError        404, or exit 4
      ConflictError        409
      BusyError            429 with the time to wait
      RefusedError         422 with violations, or exit 3
      AuthError            401 or 403, or exit 5
      StoreError           the database cannot be used: exit 1 in words
      ServerUnreachableError  a command finds no arena: exit 6
      GenerationError      a model failed: the submission becomes `failed`

What a bot does wrong is never one of these: that is a value (a rejection, a verdict, a violation).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class ArenaError(Exception):
    """Base of all errors that carry a sentence for the person who can act on it."""


class SettingsError(ArenaError):
    """One or more settings are wrong; `problems` holds one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class MarketDataError(ArenaError):
    """A market file cannot be used; `usage` is true when a flag would mend it."""

    def __init__(self, message: str, *, usage: bool = False) -> None:
        self.usage = usage
        super().__init__(message)


class FeedError(ArenaError):
    """A live feed cannot go on, and trying again would not help."""


class NotFoundError(ArenaError):
    """The named thing does not exist."""


class ConflictError(ArenaError):
    """The request contradicts what is there already."""


class TooLargeError(ArenaError):
    """What is asked for is larger than the server gives out; the sentence says which other way there is."""


class AuthError(ArenaError):
    """The caller may not do this."""


class BusyError(ArenaError):
    """There is no room or no budget now: `retry_after` is seconds, `resets_at` when a budget begins anew."""

    def __init__(self, message: str, retry_after: float, resets_at: float | None = None) -> None:
        self.retry_after = retry_after
        self.resets_at = resets_at
        super().__init__(message)


class MissingLibraryError(ArenaError):
    """What is asked for needs a library that is not installed."""


class ServerUnreachableError(ArenaError):
    """The server does not answer, or what answers is no arena."""


class StoreError(ArenaError):
    """The database cannot be used."""


class GenerationError(ArenaError):
    """The model could not give an answer; the sentence says what it did instead."""


class RefusedError(ArenaError):
    """Code that may not run; `violations` are dicts of line, column, rule, message, hint."""

    def __init__(self, message: str, violations: Sequence[dict[str, Any]] = ()) -> None:
        self.violations = list(violations)
        super().__init__(message)
