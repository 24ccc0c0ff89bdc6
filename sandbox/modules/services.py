"""What the worker gives to the facades: the virtual clock, the bot's chance, and its log."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator

LogSink = Callable[[str, str], None]


def _nowhere(level: str, text: str) -> None:
    """Swallow a log line; a worker puts its own sink here before the bot is loaded."""


class Services:
    """Mutable state of one process, shared by all facades and set anew in every worker."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rng = random.Random(0)
        self.log: LogSink = _nowhere
        self.quiet: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext

    def seed(self, seed: int) -> None:
        """Seed everything that is random for this bot."""
        import numpy as np

        self.rng.seed(seed)
        np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - the very stream that bots may ask for

    @contextlib.contextmanager
    def announced(self) -> Iterator[None]:
        """Run host code on a bot's behalf without tripping the wire."""
        with self.quiet():
            yield
