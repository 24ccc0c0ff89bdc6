"""A bot that is stopped and restored from its snapshot goes on as if nothing had been: every reply is the same."""

from __future__ import annotations

import ast
import json
import random
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot
from tests.sandbox.memory.memory_kit import begin, compare, program_of, restore, snapshot, ticks

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SHIPPED = sorted((ROOT / "bots").glob("*.py"))
ANSWERS = sorted((ROOT.parent / "shared" / "completions").glob("*.json"))
FENCE = re.compile(r"```(?:python|py)?[ \t]*\r?\n(.*?)```", re.DOTALL)
CASES = sorted((ROOT / "tests" / "sandbox" / "language" / "cases").glob("*.txt"))
EVERY_KIND = (HERE / "every_kind.txt").read_bytes()


def at(name: str, end: int, count: int = 2) -> list[int]:
    """Ticks to stop at, any but always the same."""
    return sorted(random.Random(name).sample(range(1, end), count))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_bots_go_on_as_they_were(bots: Pool, path: Path) -> None:
    assert compare(bots, path.read_bytes(), at(path.stem, 90), 100) == ""


def accepted() -> Iterator[tuple[str, bytes]]:
    for path in ANSWERS:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["expect"] != "reject":
            blocks = FENCE.findall(told["completion"])
            whole = [block for block in blocks if "on_tick" in block]
            yield path.stem, (whole or blocks or [told["completion"]])[-1].encode()


@pytest.mark.system
@pytest.mark.skipif(not ANSWERS, reason="the shared answers are not beside this project")
def test_answers_of_models_go_on_as_they_were(bots: Pool) -> None:
    told = {name: compare(bots, source, at(name, 110), 120) for name, source in accepted()}
    assert len(told) > 10
    assert {problem for problem in told.values() if problem and "generator" not in problem} == set()
    assert sum(not problem for problem in told.values()) > 0.9 * len(told)


@pytest.mark.parametrize("stop", [0, 1, 21, 46, 60])
def test_every_kind_of_object_is_put_back(bots: Pool, stop: int) -> None:
    assert compare(bots, EVERY_KIND, [stop, stop + 1], stop + 20) == ""


# -- programs of the language tests ----------------------------------------------------------------------

HEAD = """NAME = "case"
SYMBOLS = ["BTCUSDT"]
SEEN = []
KEEP = []
def out(*values):
    SEEN.extend(repr(value)[:200] for value in values)
"""


def programs() -> Iterator[tuple[str, str]]:
    for path in CASES:
        for block in re.split(r"^# --- ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            name, _, body = block.partition("\n")
            yield f"{path.stem}:{name.strip()}", body


def stored(body: str) -> list[str]:
    """The names that a program's own level binds."""
    found: list[str] = []
    for node in ast.parse(body).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.For | ast.With):
            found += [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def as_module(body: str) -> str:
    shown = "".join(
        f"    try:\n        ctx.log(repr({name})[:300])\n        KEEP.append(str({name}))\n"
        f"    except Exception as error:\n        ctx.log(type(error).__name__)\n"
        for name in stored(body)
    )
    return f"{HEAD}{body}\ndef on_tick(ctx, tick):\n    SEEN.append(len(SEEN))\n    ctx.log(str(SEEN[-3:]))\n{shown}"


def as_function(body: str) -> str:
    return (
        f"{HEAD}def on_tick(ctx, tick):\n    if len(KEEP) in (1, 4):\n        program()\n    KEEP.append(1)\n"
        f"    ctx.log(repr(KEEP)[:900])\n    ctx.log(str(SEEN[-9:])[:900])\n"
        f"def program():\n{textwrap.indent(body, '    ')}\n    KEEP.append([{', '.join(stored(body))}])\n"
    )


@pytest.mark.system
@pytest.mark.parametrize("form", [as_module, as_function], ids=["as a module", "while it runs"])
def test_programs_of_the_language_tests_go_on_or_are_named(bots: Pool, form) -> None:  # type: ignore[no-untyped-def]
    told: dict[str, str] = {}
    # Each takes three workers: one in six. A class that a function makes cannot be saved, which other tests say.
    chosen = [(name, body) for name, body in programs() if form is as_module or "class " not in body]
    for name, body in chosen[:: 6 if form is as_module else 3]:
        source = form(body).encode()
        if bots.check(source).accepted:
            told[name] = compare(bots, source, at(name, 8), 10)
    # Classes made while a bot runs, generators and the like: each is named with the way to it.
    assert all(" is " in problem for problem in told.values() if problem)
    assert sum(not problem for problem in told.values()) > 0.6 * len(told) > 3


# -- what a bot can tell apart -----------------------------------------------------------------------------


def blocks(name: str) -> dict[str, tuple[str, ...]]:
    """The cases of a file by name: module, body of on_tick, and what is said of it where something is."""
    found = {}
    for block in re.split(r"^# --- ", (HERE / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, rest = block.partition("\n")
        found[title.strip()] = tuple(re.split(r"\n# (?:at each tick\n|named: )", rest.rstrip("\n")))
    return found


EXACT, NAMED = blocks("told_apart.txt"), blocks("cannot_be_saved.txt")


@pytest.mark.parametrize(("top", "body"), EXACT.values(), ids=EXACT.keys())
def test_a_bot_cannot_tell(bots: Pool, top: str, body: str) -> None:
    assert compare(bots, bot(body, top), [4, 5, 9], 13) == ""


@pytest.mark.parametrize(("top", "body", "named"), NAMED.values(), ids=NAMED.keys())
def test_what_cannot_be_saved_is_named_and_the_bot_goes_on(bots: Pool, top: str, body: str, named: str) -> None:
    worker = begin(bots, program_of(bots, bot(body, top)))
    ticks(worker, 0, 1)
    taken = snapshot(bots, worker)
    assert taken.data is None
    assert named in taken.problem
    assert len(ticks(worker, 1, 2)) == 1
    worker.close()


def test_a_snapshot_of_another_program_is_refused(bots: Pool) -> None:
    worker = begin(bots, program_of(bots, bot("pass", "A = [1, 2]\nB = {}")))
    taken = snapshot(bots, worker)
    worker.close()
    assert taken.data is not None
    other, problem = restore(bots, program_of(bots, bot("pass", "A = [1, 2]\nB = ()\nC = []")), taken.data)
    other.close()
    assert "the module is not what it was" in problem


def test_saving_changes_nothing(bots: Pool) -> None:
    program = program_of(bots, EVERY_KIND)
    one, other = begin(bots, program), begin(bots, program)
    straight = ticks(one, 0, 12)
    saved: list[bytes] = []
    for index in range(12):
        assert snapshot(bots, other).data is not None
        saved += ticks(other, index, index + 1)
    one.close()
    other.close()
    assert saved == straight
