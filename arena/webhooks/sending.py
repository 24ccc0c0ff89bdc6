"""One delivery: signed as the Standard Webhooks specification says, sent to a checked address, with no redirects.

Receivers compare `webhook-signature` with v1,BASE64(HMAC-SHA256(secret, "ID.TIMESTAMP.BODY")), where the secret is
what follows `whsec_`, in base 64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import orjson

from arena import __version__
from arena.core.text import clean_line
from arena.errors import ArenaError
from arena.webhooks.addresses import Target, resolve

_SECONDS = 10.0
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
        "webhook-id": name, "webhook-timestamp": str(now), "webhook-signature": signature(secret, name, now, body),
    }  # fmt: skip
    try:
        with (
            httpx2.Client(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client,
            client.stream(
                "POST", _by_ip(url, target), content=body, headers=headers, extensions={"sni_hostname": target.host}
            ) as answer,
        ):
            said = _beginning(answer)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise DeliveryError(f"{target.host} was not reached: {clean_line(str(error), 300)}") from None
    if not 200 <= answer.status_code < 300:
        raise DeliveryError(f"HTTP {answer.status_code} {said}".strip())
    return f"HTTP {answer.status_code} {said}".strip()


def _host(url: str) -> str:
    """Return the Host header of an address."""
    return urlsplit(url).netloc


def _by_ip(url: str, target: Target) -> str:
    """Return an address whose host is the checked one, so that no name is looked up again."""
    parts = urlsplit(url)
    host = f"[{target.ip}]" if ":" in target.ip else target.ip
    return urlunsplit((parts.scheme, f"{host}:{target.port}", parts.path or "/", parts.query, ""))


def _beginning(answer: httpx2.Response) -> str:
    end, read = time.monotonic() + _SECONDS, b""
    for piece in answer.iter_bytes():
        read += piece
        if len(read) >= _MOST_READ or time.monotonic() > end:
            break
    return clean_line(read[:_MOST_READ].decode("utf-8", "replace"), 200)
