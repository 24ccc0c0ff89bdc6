"""What the library itself remembers for a bot: chance, the numbers of objects, contexts, loggers, numpy's settings."""

from __future__ import annotations

import decimal
import random
import sys
import weakref
from typing import Any

import numpy as np

from sandbox.language.bot_classes import HASHED, PRINTED, Numbers
from sandbox.language.modules.services import Services
from sandbox.memory.kinds import CannotRestoreError
from sandbox.memory.restore import Restorer
from sandbox.memory.save import Saver
from sandbox.memory.values import fill_context, fill_old_chance, read_context, read_old_chance
from sandbox.memory.walk import CannotSaveError

_CONTEXTS = ("BasicContext", "DefaultContext", "ExtendedContext")


def read_library(services: Services) -> dict[str, Any]:
    """Return the state of chance, contexts and settings."""
    version, numbers, gauss = services.rng.getstate()
    printing = dict(np.get_printoptions())
    if printing.get("formatter") is not None:
        raise CannotSaveError("numpy prints with functions of the bot's own")
    return {
        "now": services.now,
        "random": (version, list(numbers), gauss),
        "numpy": None if services.numpy_seed is not None else read_old_chance(np.random.mtrand._rand),  # noqa: SLF001
        "numpy seed": services.numpy_seed,
        "decimal": [read_context(context) for context in _contexts()],
        "errors": dict(np.geterr()),
        "printing": printing,
        "loggers": {name: logger.threshold[0] for name, logger in services.loggers.items()},
    }


def fill_library(services: Services, saved: dict[str, Any]) -> None:
    """Put it back."""
    services.now = float(saved["now"])
    version, numbers, gauss = saved["random"]
    random.Random.setstate(services.rng, (version, tuple(numbers), gauss))
    services.numpy_seed = saved["numpy seed"]
    if saved["numpy"] is not None:
        fill_old_chance(np.random.mtrand._rand, saved["numpy"])  # noqa: SLF001
    for context, content in zip(_contexts(), saved["decimal"], strict=True):
        fill_context(context, content)
    np.seterr(**saved["errors"])
    np.set_printoptions(**saved["printing"])
    for name, level in saved["loggers"].items():
        if type(name) is not str or type(level) is not int:
            raise CannotRestoreError("a logger that cannot be")
        services.logger(name).threshold[0] = level


def _contexts() -> list[decimal.Context]:
    return [decimal.getcontext(), *(getattr(decimal, name) for name in _CONTEXTS)]


def read_numbers(numbers: Numbers, saver: Saver) -> Any:
    """Return the numbers that objects hash or print by: the bot's by reference, the library's by name."""
    names = {id(module): ("module", name) for name, module in sys.modules.items()} | saver.world.library.names
    given = numbers.given()
    known = [(saver.numbers[key], number) for key, number in given if key in saver.numbers]
    named = [(names[key], number) for key, number in given if key not in saver.numbers and key in names]
    return known, named, numbers.last


def fill_numbers(numbers: Numbers, saved: Any, restorer: Restorer) -> None:
    """Give objects the numbers again that they had."""
    known, named, last = saved
    for number_of_object, number in known:
        _give(numbers, restorer.thing(number_of_object), number)
    for (home, name), number in named:
        _give(numbers, sys.modules[name] if home == "module" else restorer.world.library.things[home, name], number)
    if type(last) is not int:
        raise CannotRestoreError("a number that is none")
    numbers.last = last


def _give(numbers: Numbers, thing: Any, number: Any) -> None:
    if type(number) is not int:
        raise CannotRestoreError("a number that is none")
    try:
        weakref.ref(thing)
    except TypeError:
        return
    numbers.give(thing, number)


PLACES = (HASHED, PRINTED)
