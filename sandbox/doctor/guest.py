"""The guest that the examination runs in real workers: a tiny bot contract, and acts on request."""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Callable
from typing import Any

from sandbox.host import Host, Namespace

CANARY = "ARENA_DOCTOR_CANARY"
# One digit: the shell of the control knows no more.
LEAKED = 9
LEGAL = "a legal bot trades"
BOT = b"""
def on_tick(submit, price):
    if price > 100:
        submit("BUY", price)
"""


def trade(namespace: Namespace, price: float) -> list[list[Any]]:
    """Show the bot one price and return its orders."""
    orders: list[list[Any]] = []
    namespace["on_tick"](lambda side, size: orders.append([side, size]), price)
    return orders


class Probe:
    """Runs the examination's bot, or the act it is asked for."""

    def __init__(self, host: Host) -> None:
        del host
        self._namespace: Namespace = {}
        # Looked up while this is still allowed, so that only the system call itself is in question.
        libc = ctypes.CDLL(None)
        system = libc.system
        self._acts: dict[str, Callable[[], bool]] = {
            "os.system": lambda: os.system("exit 0") == 0,  # noqa: S605, S607 - the act itself
            "libc": lambda: system(b"exit 0") == 0,
            "environment": lambda: _sees_environment(libc),
            "descriptor": lambda: bool(os.pread(LEAKED, 4, 0)),
        }

    def inspect(self, namespace: Namespace) -> tuple[list[tuple[str, str]], dict[str, Any]]:
        """Accept every module that has an `on_tick`."""
        return ([] if "on_tick" in namespace else [("on-tick-missing", "")]), {}

    def start(self, meta: bytes, load: Callable[[], Namespace]) -> bytes:
        """Load the bot."""
        del meta
        self._namespace = load()
        return b"ready"

    def call(self, payload: bytes) -> bytes:
        """Run an act by its name, or one tick at a price."""
        asked = json.loads(payload)
        if isinstance(asked, str):
            try:
                return b"worked" if self._acts[asked]() else b"gone"
            except OSError as error:
                return errno.errorcode.get(error.errno or 0, "OSError").encode()
        return json.dumps(trade(self._namespace, asked)).encode()


def _sees_environment(libc: ctypes.CDLL) -> bool:
    """Look in Python's own copy and in the C library's, which `os.environ` does not always show."""
    wanted = CANARY.encode()
    if CANARY in os.environ:
        return True
    entries = ctypes.POINTER(ctypes.c_char_p).in_dll(libc, "environ")
    index = 0
    while entries and entries[index]:
        if (entries[index] or b"").startswith(wanted):
            return True
        index += 1
    return False
