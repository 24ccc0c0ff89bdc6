"""Imports go down only; the sandbox knows nothing of the arena; the core is pure."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted([*(ROOT / "arena").rglob("*.py"), *(ROOT / "sandbox").rglob("*.py")])


def dotted(path: Path) -> str:
    """Return the name by which a file is imported."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(path): path for path in FILES}

# From the top down; a part may import what stands lower than itself, and parts of one row stand side
# by side: none of them imports another.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"cli", "app", "market", "status", "__main__"}),
    frozenset({"web"}),
    frozenset({"people", "mcp"}),
    frozenset({"submissions", "trust", "webhooks", "hosts"}),
    frozenset({"engine"}),
    frozenset({"sandbox", "llm", "feeds", "store", "client"}),
    frozenset({"clock", "core", "runtime", "config", "data_sources", "dates", "errors", "log", "__init__"}),
)
TOP, GROUND = ROWS[0], ROWS[-1]
# The sandbox knows nothing of the arena, so that the ground may know its plain words: what a runtime is
# handed inside a worker, and the limits that are settings.
EXCUSED = {"runtime": {"sandbox.host"}, "config": {"sandbox.process.limits"}}
RANK = {part: rank for rank, row in enumerate(ROWS) for part in row}
IMPURE = frozenset({
    "os", "time", "random", "asyncio", "logging", "pathlib", "secrets", "io", "socket", "threading",
    "multiprocessing", "subprocess", "tempfile", "shutil", "sqlite3", "datetime", "uuid", "signal", "sys",
})  # fmt: skip


def part_of(path: Path) -> str:
    """Return which part of the design a file belongs to."""
    first, *rest = path.relative_to(ROOT).with_suffix("").parts
    return "sandbox" if first == "sandbox" else rest[0]


def part_of_module(name: str) -> str | None:
    """Return the part that an imported module belongs to, None if it is not ours."""
    first, *rest = name.split(".")
    if first == "sandbox":
        return "sandbox"
    if first != "arena":
        return None
    return rest[0] if rest else "__init__"


def modules(path: Path) -> Iterator[str]:
    """Yield everything a file imports: at its top, late within a function, and for a type checker alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            assert node.module is not None
            # What is taken out of a package is a module of it, or else a name that its `__init__` has.
            inner = {alias.name for alias in node.names if f"{node.module}.{alias.name}" in MODULES}
            yield from (f"{node.module}.{name}" for name in sorted(inner))
            if len(inner) < len(node.names):
                yield node.module


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another, directly or through others."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        found, rest = set[str](), [start]
        while rest:
            new = graph[rest.pop()] - found
            found |= new
            rest += new
        reached[start] = found
    groups = {tuple(sorted(other for other in reached[one] if one in reached[other])) for one in graph}
    return [list(group) for group in sorted(groups) if group]


def may_import(importer: str, imported: str) -> bool:
    """Say whether one part may know another."""
    if importer == imported:
        return True
    if importer in TOP | GROUND and imported in ROWS[RANK[importer]]:
        return True
    return RANK[imported] > RANK[importer]


def test_every_part_has_its_place() -> None:
    assert {part_of(path) for path in FILES} <= set(RANK)
    assert len(FILES) > 100


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down_only(path: Path) -> None:
    importer = part_of(path)
    for module in modules(path):
        imported = part_of_module(module)
        if imported in RANK and module not in EXCUSED.get(importer, ()):
            assert may_import(importer, imported), f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p) == "sandbox"], ids=name_of)
def test_the_sandbox_knows_nothing_of_the_arena(path: Path) -> None:
    assert not [module for module in modules(path) if module.split(".")[0] == "arena"]


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p) == "core"], ids=name_of)
def test_the_core_is_pure(path: Path) -> None:
    for module in modules(path):
        assert module.split(".")[0] not in IMPURE, f"{name_of(path)} imports {module}"
    names = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
    assert not names & {"open", "print", "input", "exec", "eval", "__import__"}


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p) == "runtime"], ids=name_of)
def test_the_runtime_is_light(path: Path) -> None:
    """It is loaded into every worker, so it brings nothing but the standard library and numpy."""
    known = {*sys.stdlib_module_names, "numpy", "arena", "sandbox"}
    for module in modules(path):
        assert module.split(".")[0] in known, f"{name_of(path)} imports {module}"
        part = part_of_module(module)
        assert part is None or part in GROUND | {"sandbox"}, f"{name_of(path)} imports {module}"


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p) == "client"], ids=name_of)
def test_the_client_knows_nothing_of_the_server(path: Path) -> None:
    """It is for programs elsewhere, which load it without the server's libraries."""
    known = {*sys.stdlib_module_names, "httpx2", "arena", "pandas", "polars"}
    for module in modules(path):
        assert module.split(".")[0] in known, f"{name_of(path)} imports {module}"
        assert part_of_module(module) in {None, "client", "errors"}, f"{name_of(path)} imports {module}"


def test_nothing_below_the_door_reads_the_environment() -> None:
    """Settings are read once; `sandbox` passes a clean environment on but reads none."""
    readers = []
    for path in FILES:
        tree = ast.parse(path.read_text("utf-8"))
        found = [n for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr in {"environ", "getenv"}]
        if found and part_of(path) not in {"config", "sandbox"}:
            readers.append(name_of(path))
    assert readers == []


def test_no_module_imports_itself_through_others() -> None:
    graph = {name: {module for module in modules(path) if module in MODULES} for name, path in MODULES.items()}
    assert circles(graph) == []


def test_the_rules_of_this_file_refuse_what_they_should() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}, "e": {"a"}}) == [["b", "c"], ["d"]]
    for importer, imported in (
        ("engine", "web"), ("store", "engine"), ("feeds", "store"), ("llm", "feeds"), ("sandbox", "store"),
        ("core", "store"), ("runtime", "engine"), ("web", "cli"), ("submissions", "app"),
    ):  # fmt: skip
        assert not may_import(importer, imported), (importer, imported)
    for importer, imported in (("cli", "app"), ("web", "core"), ("engine", "sandbox"), ("runtime", "core")):
        assert may_import(importer, imported), (importer, imported)
