"""The language wall in this process, without the process wall: only for programs that are started to be thrown away.

Setting it up freezes and hardens library classes for good, so tests run it in a process of its own.
"""

from __future__ import annotations

import contextlib
import io
import random
from typing import Any

import numpy as np

from sandbox.language import builtin_names, guards
from sandbox.language.addresses import hide_addresses
from sandbox.language.compiler import compile_bot
from sandbox.language.modules import build, take_over
from sandbox.language.modules.facade import names_of
from sandbox.language.modules.hardening import freeze_host_classes
from sandbox.language.modules.services import Services

NOW = 1_700_000_000.0
LIMIT = 64 * 1024


class Wall:
    """Compiles sources and runs them as a worker would."""

    def __init__(self) -> None:
        self.services = Services()
        self.logs: list[str] = []
        self.services.log = lambda _level, text: self.logs.append(text)
        take_over(self.services)
        self.modules = build(self.services)
        self.offered = {name: names_of(facade) for name, facade in self.modules.items()}
        self.builtins = builtin_names.build(self.services, self.modules)
        self.gates = guards.build(self.services)
        hide_addresses(self.services)
        freeze_host_classes()

    def compile(self, source: str | bytes) -> tuple[Any, list[Any]]:
        data = source if isinstance(source, bytes) else source.encode()
        return compile_bot(data, self.offered, LIMIT)

    def namespace(self, **extra: Any) -> dict[str, Any]:
        own = {"__builtins__": {**self.builtins, **extra}, "__name__": "bot", "__file__": "bot.py"}
        return {**own, "__doc__": None, **self.gates}

    def seed(self) -> None:
        self.services.now = NOW
        self.services.seed(7)
        self.logs.clear()


def observe(run: Any) -> list[str]:
    """Call `run(out)` and return what it put out, with the exception that ended it, if any."""
    seen: list[str] = []
    try:
        run(lambda *values: seen.extend(repr(value) for value in values))
    except BaseException as error:  # noqa: BLE001 - the exception is part of the behaviour
        seen.append(f"{type(error).__name__}: {error}")
    return seen


def in_plain_python(source: str | bytes, **extra: Any) -> list[str]:
    """Run a program as ordinary Python, seeded as the wall seeds it."""
    import builtins
    import sys
    import types

    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    module = types.ModuleType("bot")
    sys.modules["bot"] = module  # dataclasses of ordinary Python look their module up

    def run(out: Any) -> None:
        space = module.__dict__
        space["__builtins__"] = {**vars(builtins), "out": out, **extra}
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(source, "bot.py", "exec", dont_inherit=True), space)

    seen = observe(run)
    del sys.modules["bot"]
    return seen


def under_the_wall(wall: Wall, source: str | bytes, **extra: Any) -> list[str]:
    """Run a program under the wall; a refusal is what it puts out then."""
    code, violations = wall.compile(source)
    if code is None:
        return [f"REFUSED {v.line}: {v.rule}: {v.message}" for v in violations]
    wall.seed()
    return observe(lambda out: exec(code, wall.namespace(out=out, **extra)))
