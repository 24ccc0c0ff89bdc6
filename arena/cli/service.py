"""Tells the service manager how the server is doing: systemd's notify protocol, nothing where none listens.

A message is a datagram to a socket (sd_notify(3)).
"""

from __future__ import annotations

import contextlib
import socket
import time


class ServiceManager:
    """systemd, where it started this process as Type=notify."""

    def __init__(self, address: str, watchdog: float) -> None:
        """Speak to a socket, "" for none, and give a sign of life within every so many seconds, 0 for never."""
        # A leading @ stands for the zero byte of an abstract socket.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._every = watchdog
        self._fed = 0.0
        self._ending = False

    def tell(self, *lines: str) -> None:
        """Send lines such as READY=1 or STATUS=words."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.setblocking(False)
            # A manager that does not listen just now is none of the server's troubles.
            with contextlib.suppress(OSError):
                sender.sendto("\n".join(lines).encode(), self._address)

    def stopping(self) -> None:
        """Say that the server ends, once."""
        if not self._ending:
            self._ending = True
            self.tell("STOPPING=1", "STATUS=The tick under way, the bots and the database are waited for.")

    def beat(self) -> None:
        """Feed the watchdog, where there is one: four times within its time, which is enough."""
        if not self._every:
            return
        now = time.monotonic()
        if now - self._fed >= self._every / 4:
            self._fed = now
            self.tell("WATCHDOG=1")
