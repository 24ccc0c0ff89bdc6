"""Failed attempts to reach a venue, and how long to wait before the next one."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RATE_LIMIT_SECONDS = 120.0  # the wait where a venue limits requests and names no time
_LONGEST_WAIT = 86_400.0


@dataclass(frozen=True, slots=True)
class ConnectFailure:
    """A connection or request that failed, as a sentence for the user.

    `retry_after` is how many seconds the venue asks us to stay away. `permanent` means that trying this
    address again cannot help.
    """

    message: str
    retry_after: float = 0.0
    permanent: bool = False


class PollFailedError(Exception):
    """A request that brought no usable answer; `sent` is false where it never reached the venue."""

    def __init__(self, failure: ConnectFailure, *, sent: bool = True) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.sent = sent


def backoff_delay(failures: int, first: float, longest: float) -> float:
    """Return the seconds to wait after this many earlier failures: doubled each time, plus up to half as jitter."""
    # The exponent is capped: a float overflows after some weeks without a network.
    return min(first * 2.0 ** min(failures, 30), longest) * random.uniform(1.0, 1.5)


def retry_after_seconds(headers: Mapping[str, str], default: float = RATE_LIMIT_SECONDS) -> float:
    """Return the wait that a Retry-After header asks for, as seconds or as a date; at most a day."""
    text = headers.get("Retry-After", "").strip()
    seconds = default
    if text.isascii() and text.isdigit():
        seconds = float(text)
    elif text:
        with suppress(ValueError, OverflowError):
            moment = parsedate_to_datetime(text)
            seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT)
