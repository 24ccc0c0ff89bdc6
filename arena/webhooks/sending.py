"""One delivery: signed as the Standard Webhooks specification says, sent to a checked address, with no redirects.

Receivers compare `webhook-signature` with v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY")), where the secret is
what follows `whsec_`, in base 64.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import orjson

from arena import __version__
from arena.core.text import clean_line
from arena.errors import ArenaError
from arena.webhooks.addresses import Target, resolve

_SECONDS = 10.0  # of a whole delivery: a receiver that sends a byte now and then holds nothing up
_MOST_READ = 2048  # bytes of an answer


class DeliveryError(ArenaError):
    """The receiver has not taken it; the sentence says what it did instead."""


def signature(secret: str, name: str, timestamp: int, body: bytes) -> str:
    """Return what the receiver compares."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{name}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def send(url: str, secret: str, name: str, event: str, data: dict[str, Any], *, at: float, private: bool) -> str:
    """Send an event and return what the receiver answered; DeliveryError or another ArenaError where it did not."""
    body = orjson.dumps({"type": event, "timestamp": at, "data": data})
    target = resolve(url, private=private)
    now = int(time.time())
    headers = {
        "host": _host(url), "content-type": "application/json", "user-agent": f"Arena/{__version__}",
        "accept-encoding": "identity",
        "webhook-id": name, "webhook-timestamp": str(now), "webhook-signature": signature(secret, name, now, body),
    }  # fmt: skip
    try:
        status, said = asyncio.run(_exchange(_by_ip(url, target), target.host, headers, body))
    except TimeoutError:
        raise DeliveryError(f"{target.host} has not answered within {_SECONDS:g} s.") from None
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"{target.host} was not reached: {_why(error)}") from None
    if not 200 <= status < 300:
        raise DeliveryError(f"HTTP {status} {said}".strip())
    return f"HTTP {status} {said}".strip()


async def _exchange(address: str, name: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
    """Return a receiver's status and the beginning of what it says; TimeoutError where all of it takes too long."""
    async with (
        asyncio.timeout(_SECONDS),
        httpx2.AsyncClient(verify=_authorities(), timeout=None, trust_env=False, follow_redirects=False) as client,
        client.stream("POST", address, content=body, headers=headers, extensions={"sni_hostname": name}) as answer,
    ):
        read = b""
        # As it comes: what is packed would be unpacked to any size.
        async for piece in answer.aiter_raw():
            read += piece
            if len(read) >= _MOST_READ:
                break
        return answer.status_code, clean_line(read[:_MOST_READ].decode("utf-8", "replace"), 200)


@cache
def _authorities() -> ssl.SSLContext:
    """Return whose certificates are taken: those of the system, or of SSL_CERT_FILE, which is all that it may say."""
    try:
        return httpx2.create_ssl_context(trust_env=True)
    except OSError as error:  # SSLError among them
        raise DeliveryError(
            f"The certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read: {clean_line(str(error), 200)}. "
            "This is the arena's fault, not the receiver's."
        ) from None


def _why(error: BaseException) -> str:
    """Return why a receiver was not reached; a certificate that is not taken stands below what libraries made of it."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, ssl.SSLCertVerificationError):
        below = below.__cause__ or below.__context__
    if below is None:
        return clean_line(str(error), 300)
    return f"its certificate is not taken: {clean_line(below.verify_message, 300).rstrip('.')}."


def _host(url: str) -> str:
    """Return the Host header of an address."""
    return urlsplit(url).netloc


def _by_ip(url: str, target: Target) -> str:
    """Return an address whose host is the checked one, so that no name is looked up again."""
    parts = urlsplit(url)
    host = f"[{target.ip}]" if ":" in target.ip else target.ip
    return urlunsplit((parts.scheme, f"{host}:{target.port}", parts.path or "/", parts.query, ""))
