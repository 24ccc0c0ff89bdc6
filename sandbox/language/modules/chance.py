"""Chance as a bot sees it: whatever the library would seed from the kernel is seeded from the bot's own."""

from __future__ import annotations

import importlib
import random
from typing import Any

from sandbox.language.modules.services import Services

METHODS = (
    "betavariate binomialvariate choice choices expovariate gammavariate gauss getrandbits getstate "
    "lognormvariate normalvariate paretovariate randbytes randint random randrange sample setstate "
    "shuffle triangular uniform vonmisesvariate weibullvariate"
)
_base: Any = random.Random.__mro__[1]


def methods_of(rng: random.Random) -> dict[str, Any]:
    """Return the functions of `random` as this generator's methods."""
    return {name: getattr(rng, name) for name in METHODS.split() if hasattr(rng, name)}


def replace_library_chance(services: Services) -> None:
    """Have `random` and numpy draw their seeds from the bot's generator in this process, whoever asks.

    `statistics` and numpy ask on a bot's behalf; the kernel answers nobody here.
    """
    rng = services.rng
    seed = random.Random.seed

    def seeded(self: random.Random, a: Any = None, version: int = 2) -> None:
        """Seed the generator; without a seed it is seeded from the bot's own."""
        seed(self, rng.getrandbits(64) if a is None else a, version)

    def make(cls: type, *_: Any, **__: Any) -> Any:
        # One that is never seeded, for a class of the bot may forget to, would ask the kernel or give nothing but 0.
        made = _base.__new__(cls, 0)
        _base.seed(made, 0)
        return made

    random.Random.seed = seeded  # type: ignore[method-assign]
    random.Random.__new__ = make  # type: ignore[method-assign]
    for name, method in methods_of(rng).items():
        setattr(random, name, method)
    # What numpy makes of no seed at all.
    importlib.import_module("numpy.random.bit_generator").randbits = rng.getrandbits  # type: ignore[attr-defined]
