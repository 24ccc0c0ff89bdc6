"""What the worker gives to the facades: the virtual clock, the bot's chance, and its log."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

LogSink = Callable[[str, str], None]


def _nowhere(level: str, text: str) -> None:
    """Swallow a log line; a worker puts its own sink here before the bot is loaded."""


def _leave_class(_kind: type) -> None:
    """Do nothing."""


class Services:
    """Mutable state of one process, shared by all facades and set anew in every worker."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rng = random.Random(0)
        self.log: LogSink = _nowhere
        # Makes a class hash by a number, where addresses are hidden.
        self.number_class: Callable[[type], None] = _leave_class
        # What numpy's generator will be seeded with once the bot imports numpy.
        self.numpy_seed: int | None = None
        # All loggers by name, and what makes one.
        self.loggers: dict[str, Any] = {}
        self.logger: Callable[[str], Any] = self.loggers.__getitem__
        self.quiet: Callable[[], contextlib.AbstractContextManager[object]] = contextlib.nullcontext

    def seed(self, seed: int) -> None:
        """Seed everything that is random for this bot; numpy's once the bot imports it."""
        self.rng.seed(seed)
        self.numpy_seed = seed & 0xFFFFFFFF

    def imports(self, name: str) -> None:
        """Take note that the bot imports an offered module."""
        if self.numpy_seed is not None and name.startswith("numpy"):
            import numpy as np

            # Most bots never come here, and its state is pages of memory.
            np.random.seed(self.numpy_seed)  # noqa: NPY002 - the very stream that bots may ask for
            self.numpy_seed = None

    def reset(self) -> None:
        """Put clock, chance and log back to where a worker finds them."""
        self.now, self.log = 0.0, _nowhere
        self.seed(0)
        self.imports("numpy")

    @contextlib.contextmanager
    def announced(self) -> Iterator[None]:
        """Run host code on a bot's behalf without tripping the wire."""
        with self.quiet():
            yield
