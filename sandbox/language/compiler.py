"""From a bot's source to code, or to all that is wrong with it at once.

Runs only in a locked child: reading Python is itself an attack surface.
"""

from __future__ import annotations

import ast
import sys
import types
import warnings
from collections.abc import Mapping
from dataclasses import replace

from sandbox.language.dead_imports import drop_dead_imports
from sandbox.language.module_attributes import missing_attributes
from sandbox.language.policy import Names, Policy
from sandbox.language.rules import Violation, violation
from sandbox.language.universe import GUARDED_LOADS, GUARDED_STORES

FILENAME = "bot.py"
MAX_DEPTH = 150
MAX_NODES = 40_000


def compile_bot(
    source: bytes, modules: Mapping[str, frozenset[str]], limit: int
) -> tuple[types.CodeType | None, list[Violation]]:
    """Return the code, or None and the violations; every refusal has a rule."""
    return read_bot(source, modules, limit)[:2]


def read_bot(
    source: bytes, modules: Mapping[str, frozenset[str]], limit: int
) -> tuple[types.CodeType | None, list[Violation], list[str]]:
    """Return what `compile_bot` does, and a sentence on each import that was left out as of no use."""
    left_out: list[str] = []
    return *_guarded_compile(source, modules, limit, left_out), left_out


def _guarded_compile(
    source: bytes, modules: Mapping[str, frozenset[str]], limit: int, left_out: list[str]
) -> tuple[types.CodeType | None, list[Violation]]:
    try:
        return _compile(source, dict(modules), limit, left_out)
    except RecursionError:
        return None, [violation("too-complex", 1, 1, "it is nested too deeply")]
    except MemoryError:
        return None, [violation("too-complex", 1, 1, "it needs too much memory to read")]
    except Exception as error:  # noqa: BLE001 - a source that trips the compiler itself is refused
        return None, [violation("too-complex", 1, 1, f"it cannot be compiled ({error})")]


def _compile(  # noqa: PLR0911 - each step may refuse
    source: bytes, modules: dict[str, frozenset[str]], limit: int, left_out: list[str]
) -> tuple[types.CodeType | None, list[Violation]]:
    text = _decode(source, limit)
    if isinstance(text, Violation):
        return None, [text]
    sys.setrecursionlimit(3000)
    tree = _parse(text)
    if isinstance(tree, Violation):
        return None, [tree]
    nodes = _all_nodes(tree)
    if isinstance(nodes, Violation):
        return None, [nodes]
    tree = drop_dead_imports(tree, modules, left_out)
    policy = Policy(GUARDED_LOADS, GUARDED_STORES, _names(nodes), modules)
    policy.violations += missing_attributes(tree, modules)
    tree = policy.visit(tree)
    if policy.violations:
        found = sorted(set(policy.violations), key=lambda v: (v.line, v.column, v.rule))
        return None, _in_characters(found, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(tree, FILENAME, "exec", dont_inherit=True), []
    except SyntaxError as error:
        return None, [_syntax(error)]
    except ValueError as error:
        return None, [violation("syntax", 1, 1, str(error))]


def _in_characters(found: list[Violation], text: str) -> list[Violation]:
    """Return violations whose columns count characters, where the syntax tree counts bytes of UTF-8."""
    if text.isascii():
        return found
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [
        replace(each, column=len(lines[each.line - 1].encode()[: each.column - 1].decode("utf-8", "ignore")) + 1)
        if each.line <= len(lines)
        else each
        for each in found
    ]


def _decode(source: bytes, limit: int) -> str | Violation:
    if len(source) > limit:
        return violation("source-too-large", 1, 1, f"{limit // 1024} KiB")
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return violation("source-encoding", 1, 1, error.reason)
    if "\0" in text:
        return violation("source-encoding", text.count("\n", 0, text.index("\0")) + 1, 1, "a NUL")
    return text


def _parse(text: str) -> ast.Module | Violation:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, FILENAME)
    except SyntaxError as error:
        return _syntax(error)
    except ValueError as error:
        return violation("syntax", 1, 1, str(error))


def _syntax(error: SyntaxError) -> Violation:
    return violation("syntax", error.lineno or 1, max(error.offset or 1, 1), error.msg or "syntax")


def _all_nodes(tree: ast.AST) -> list[ast.AST] | Violation:
    """Return every node, or refuse a tree that would overflow a recursive walk; this one does not recurse."""
    nodes: list[ast.AST] = []
    level, depth = [tree], 0
    while level:
        depth += 1
        nodes += level
        if depth > MAX_DEPTH:
            line = next((n.lineno for n in level if hasattr(n, "lineno")), 1)
            return violation("too-complex", line, 1, f"more than {MAX_DEPTH} levels deep")
        if len(nodes) > MAX_NODES:
            return violation("too-complex", 1, 1, f"more than {MAX_NODES} syntax nodes")
        level = _children(level)
    return nodes


def _children(level: list[ast.AST]) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in level:
        for name in node._fields:
            value = getattr(node, name, None)
            if type(value) is list:
                found += [each for each in value if isinstance(each, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def _names(nodes: list[ast.AST]) -> Names:
    """Return every name that the source itself binds anywhere, and every attribute it names."""
    bound: set[str] = set()
    attributes: set[str] = set()
    for node in nodes:
        match node:
            case ast.Name(ctx=ast.Store()):
                bound.add(node.id)
            case ast.Attribute():
                attributes.add(node.attr)
            case ast.FunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.arg():
                bound.add(node.arg)
            case ast.alias():
                bound.add(node.asname or node.name.split(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                bound.add(name)
            case _:
                pass
    return Names(frozenset(bound), frozenset(attributes))
