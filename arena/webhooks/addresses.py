"""Where events may be sent: a webhook must not reach what only this machine or its network can reach.

Every address of a name is checked, and the connection is made to a checked address, so that a name which answers
differently the second time gains nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from arena.errors import ArenaError, RefusedError

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# What the library of some Python takes for the open internet: protocol assignments (a cloud's metadata at 192.0.0.192),
# the relays of 6to4, and addresses for documents.
_RESERVED = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
_MAX_URL = 2000
_GROUP = "[0-9A-Fa-f]{1,4}"
_NAME = "[A-Za-z0-9][A-Za-z0-9._-]*"
_WEB = r"[Hh][Tt][Tt][Pp][Ss]?://({})(:[1-9][0-9]{{0,3}}|:[1-5][0-9]{{4}}|:6[0-4][0-9]{{3}})?([/?#][!-~]*)?"
_WEB_ADDRESS = re.compile(_WEB.format(rf"{_NAME}|\[[0-9A-Fa-f:.]+\]"))
# What the address of a webhook looks like in the API's document: that of a web server, or one of Apprise. The ways to
# write an IPv6 address are more than a pattern can hold; others are taken as well.
_FULL = rf"\[({_GROUP}:){{7}}{_GROUP}\]"
ADDRESS = "^(" + _WEB.format(f"{_NAME}|{_FULL}") + "|(?!https?:)[a-z][a-z0-9+.-]*://[!-~]+)$"
Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class ForbiddenAddressError(ArenaError):
    """A webhook's name leads to an address that it must not reach."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host and port to connect to, by the checked address `ip`."""

    host: str
    port: int
    ip: str


def check_url(url: str) -> None:
    """Refuse what is no address of a web server; RefusedError says what is wrong."""
    if len(url) > _MAX_URL:
        raise RefusedError(f"An address has at most {_MAX_URL} characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise RefusedError("This is no address; it should look like https://example.org/hook.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise RefusedError("An address begins with https:// or http:// and names a host.")
    if parts.username is not None or parts.password is not None:
        raise RefusedError("An address with a name or password in it is not taken: events are signed instead.")
    if any(ord(each) <= 32 or ord(each) >= 127 for each in url):
        raise RefusedError("An address holds no spaces or control characters, and other letters as %.. or xn--.")
    if not _WEB_ADDRESS.fullmatch(url):
        raise RefusedError("This is no address; it should look like https://example.org/hook.")


def is_public(ip: Ip) -> bool:
    """Say whether an address is one of the open internet, whichever way it is written."""
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        # Everything else there is, such as fec0::/10, ::/96 or 64:ff9b:1::/48, is some network's own.
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _RESERVED)


def resolve(url: str, *, private: bool) -> Target:
    """Return where to connect for an address; ForbiddenAddressError where any address of its host is not public."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError) as error:
        raise ArenaError(f"The host {host} is not found: {error}.") from None
    for one in found:
        if not private and not is_public(ipaddress.ip_address(str(one).partition("%")[0])):
            raise ForbiddenAddressError(
                f"{host} is an address of a private network: set WEBHOOKS_PRIVATE=on to send there."
            )
    return Target(host, port, str(found[0]))
