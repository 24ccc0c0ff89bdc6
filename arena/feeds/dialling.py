"""What live feeds share: opening a connection, refusals in words, back-off, prices of any spelling."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

# What dialling may raise: a SOCKS proxy without its package is an ImportError, a host name that no
# resolver takes is a ValueError.
DIAL_ERRORS = (OSError, WebSocketException, ImportError, ValueError)
_BAN_SECONDS = 120.0  # where a refusal for too many requests does not say for how long


def back_off(failures: int, first: float, longest: float) -> float:
    """Return the seconds to wait after the given number of failures: doubled each time, with jitter."""
    # The exponent is capped: a float overflows after some weeks without a network.
    return min(first * 2.0 ** min(failures, 30), longest) * random.uniform(1.0, 1.5)


@dataclass(frozen=True, slots=True)
class Setback:
    """An attempt that came to nothing.

    `sentence` is for a person; `stay_away` is how many seconds the venue wants no attempt from us;
    `blocked` means that this address will not serve our location however often it is asked.
    """

    sentence: str
    stay_away: float = 0.0
    blocked: bool = False


def dial(url: str, open_timeout: float, headers: Mapping[str, str] | None = None) -> connect:
    """Return a connection to await or enter; proxy settings do not apply on this machine."""
    return connect(
        url,
        proxy=None if is_loopback(url) else True,
        open_timeout=open_timeout,
        close_timeout=1.0,
        additional_headers=headers,
    )


def is_loopback(url: str) -> bool:
    """Return whether a URL points at this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def setback_of(error: Exception, url: str) -> Setback:
    """Say in words why no connection came about."""
    # Without what may stand before an @: that is nobody else's business.
    host = urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, InvalidStatus):
        return _refused(error, host)
    if isinstance(error, TimeoutError):
        return Setback(f"{host} did not answer in time.")
    return Setback(f"{host} cannot be reached: {error}.")


def _refused(error: InvalidStatus, host: str) -> Setback:
    code = error.response.status_code
    if code == 451:
        return Setback(
            f"{host} does not serve this location (HTTP 451, unavailable for legal reasons); choose another feed.",
            blocked=True,
        )
    if code in {418, 429}:
        wait = _retry_after(error.response.headers.get("Retry-After"))
        what = "has banned this address for a while" if code == 418 else "asks for fewer requests"
        return Setback(f"{host} {what} (HTTP {code}); trying again in {wait:.0f} s.", wait)
    return Setback(f"{host} refused the connection (HTTP {code}).")


def _retry_after(text: str | None) -> float:
    """Return the seconds of a Retry-After header; venues do not use its date form."""
    return float(text) if text and text.isascii() and text.isdigit() else _BAN_SECONDS


def price_of(value: object) -> float | None:
    """Return a price that makes sense, else None; some venues write strings, others numbers."""
    if isinstance(value, bool) or not isinstance(value, str | float | int):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if math.isfinite(price) and price > 0.0 else None
