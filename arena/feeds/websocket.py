"""WebSocket connections to the venues, and why one could not be opened."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from arena.feeds.http import is_loopback
from arena.feeds.retry import ConnectFailure, retry_after_seconds

# A SOCKS proxy without its package is an ImportError, a host name that no resolver accepts a ValueError.
CONNECT_ERRORS = (OSError, WebSocketException, ImportError, ValueError)


def open_websocket(url: str, open_timeout: float, headers: Mapping[str, str] | None = None) -> connect:
    """Return a connection to await or enter; proxy settings do not apply on this machine."""
    return connect(
        url,
        proxy=None if is_loopback(url) else True,
        open_timeout=open_timeout,
        close_timeout=1.0,
        additional_headers=headers,
    )


def connect_failure(error: Exception, url: str) -> ConnectFailure:
    """Return why a connection could not be opened, without the user name and password of the URL."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    if isinstance(error, InvalidStatus):
        return _refused(error, host)
    if isinstance(error, TimeoutError):
        return ConnectFailure(f"{host} did not answer in time.")
    return ConnectFailure(f"{host} cannot be reached: {error}.")


def _refused(error: InvalidStatus, host: str) -> ConnectFailure:
    code = error.response.status_code
    if code == 451:
        return ConnectFailure(
            f"{host} does not serve this location (HTTP 451, unavailable for legal reasons); choose another feed.",
            permanent=True,
        )
    if code in {418, 429}:
        wait = retry_after_seconds(error.response.headers)
        what = "has banned this address for a while" if code == 418 else "asks for fewer requests"
        return ConnectFailure(f"{host} {what} (HTTP {code}); trying again in {wait:.0f} s.", wait)
    return ConnectFailure(f"{host} refused the connection (HTTP {code}).")
