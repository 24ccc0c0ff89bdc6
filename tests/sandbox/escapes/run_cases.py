"""Runs every case file in a process of its own, under the wall and where it says so without; prints JSON."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import operator
import os
import resource
import signal
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from judge import foul
from kit import Wall

GENERATED = "# source: "


class Case:
    """A case file: its header and the bytes a bot would send."""

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        text = path.read_text(encoding="utf-8")
        head, self.body = text.split("\n# why: ", 1)
        self.why, _, self.body = self.body.partition("\n")
        self.head = dict(line[2:].split(": ", 1) for line in head.splitlines())
        self.source = self.body.encode()
        if self.body.startswith(GENERATED):
            made = eval(self.body[len(GENERATED) :])
            self.source = made if isinstance(made, bytes) else made.encode()


def in_a_child(act: Callable[[], str]) -> str:
    """Run `act` in a fork, because it may change the process or end it; return its word."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        signal.alarm(120)
        with contextlib.suppress(BaseException):
            os.write(writing, act().encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        word = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return word if not os.WIFSIGNALED(status) else f"crashed by signal {os.WTERMSIG(status)}"


def attempt(run: Callable[[dict[str, Any]], None]) -> str:
    """Run a case with the two helpers its text calls, and return what came of it."""
    breaches: list[str] = []

    def breach(what: object = "") -> None:
        breaches.append(str(what)[:200])

    def hand_over(thing: object) -> object:
        why = foul(thing)
        if why:
            breaches.append(why)
        return None

    error = ""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            run({"breach": breach, "hand_over": hand_over})
    except BaseException as caught:  # noqa: BLE001 - being stopped is what a case is for
        error = f"{type(caught).__name__}: {caught}"
    return f"breached: {breaches[0]}" if breaches else f"blocked: {error}"


def under_the_wall(wall: Wall, case: Case, before: dict[str, Any]) -> str:
    code, violations = wall.compile(case.source)
    if code is None:
        return f"refused: {violations[0].rule}: {violations[0].message}"
    wall.seed()
    word = attempt(lambda helpers: exec(code, wall.namespace(**helpers)))
    changed = [name for name, state in shared_state(wall).items() if state != before[name]]
    return f"breached: {changed} changed" if changed else word


def shared_state(wall: Wall) -> dict[str, Any]:
    from sandbox.language.modules.facade import handed_out
    from sandbox.language.universe import HOST

    state: dict[str, Any] = {
        name: {key: id(value) for key, value in facade.__dict__.items()} for name, facade in wall.modules.items()
    }
    for kind in {*HOST, *handed_out()}:
        hidden = ("__abstractmethods__", "_abc_impl", "__doc__")
        state[f"class {kind.__qualname__} {id(kind)}"] = {
            key: id(value) for key, value in kind.__dict__.items() if key not in hidden
        }
    return state


def in_plain_python(case: Case) -> str:
    import builtins

    module = types.ModuleType("bot")
    sys.modules["bot"] = module

    def run(helpers: dict[str, Any]) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), **helpers}
        exec(compile(case.source, "bot.py", "exec", dont_inherit=True), module.__dict__)

    return attempt(run)


# What applications on the stock kit commonly hand out: real modules and the everyday built-ins.
KIT_MODULES = (
    "abc bisect collections contextlib copy dataclasses datetime decimal enum fractions functools heapq "
    "itertools json logging math numpy operator pprint random re statistics string textwrap time typing types"
)
KIT_BUILTINS = (
    "list dict set frozenset map filter zip enumerate reversed sorted min max sum any all iter next type "
    "object property staticmethod classmethod super hasattr format print getattr bytearray"
)
KIT_OPERATORS = {"+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
                 "|=": operator.ior, "&=": operator.iand, "^=": operator.ixor, "%=": operator.imod}  # fmt: skip


def in_a_naive_kit(case: Case) -> str:
    """Run a case as the stock kit is commonly set up: its guards, common built-ins, real modules."""
    import builtins

    from RestrictedPython import compile_restricted, safe_builtins
    from RestrictedPython.Eval import default_guarded_getitem, default_guarded_getiter
    from RestrictedPython.Guards import guarded_iter_unpack_sequence

    allowed = set(KIT_MODULES.split())

    def importer(name: str, *rest: Any) -> Any:
        if name not in allowed:
            raise ImportError(name)
        return __import__(name, *rest)

    def run(helpers: dict[str, Any]) -> None:
        common = {name: getattr(builtins, name) for name in KIT_BUILTINS.split()}
        guarded = {
            "_getiter_": default_guarded_getiter, "_getitem_": default_guarded_getitem,
            "_iter_unpack_sequence_": guarded_iter_unpack_sequence, "_write_": lambda x: x,
            "__metaclass__": type, "__name__": "bot", "_apply_": lambda f, *a, **k: f(*a, **k),
            "_inplacevar_": lambda op, x, y: KIT_OPERATORS[op](x, y),
            "_unpack_sequence_": guarded_iter_unpack_sequence,
        }  # fmt: skip
        kit = {**safe_builtins, **common, "__import__": importer, **helpers}
        guarded |= {"_getattr_": safe_builtins["_getattr_"], "__builtins__": kit}
        exec(compile_restricted(case.body, "bot.py", "exec"), guarded)

    return attempt(run)


def main() -> None:
    """Print {case: {wall, control}} for every case file in the folder named."""
    warnings.simplefilter("ignore")
    cases = [Case(path) for path in sorted(Path(sys.argv[1]).glob("*.py"))]
    controls = {"plain": in_plain_python, "naive": in_a_naive_kit}
    found: dict[str, dict[str, str]] = {}
    for case in cases:
        control = controls.get(case.head["control"])
        found[case.name] = {**case.head, "why": case.why}
        if control is not None:
            found[case.name]["bites"] = in_a_child(lambda c=case, f=control: f(c))
    wall = Wall()
    # Of this process: each case runs in a child of it, where all is as it was here.
    before = shared_state(wall)
    for case in cases:
        found[case.name]["wall"] = in_a_child(lambda c=case: under_the_wall(wall, c, before))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
