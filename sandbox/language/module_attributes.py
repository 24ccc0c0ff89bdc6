"""Finds attributes of modules that are not offered, before a bot is run that would fail by them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from sandbox.language import names
from sandbox.language.dead_imports import catches, used_nodes
from sandbox.language.hints import ATTRIBUTE_HINTS
from sandbox.language.rules import Violation, violation

_Offered = Mapping[str, frozenset[str]]
_LISTED = 40


def missing_attributes(tree: ast.Module, modules: _Offered) -> list[Violation]:
    """Return a violation for each attribute of a module that the module does not offer.

    Judged are names that only imports bind (or None does), since any other may be something else. What the
    bot itself asks about, by `hasattr` or by catching AttributeError, is its own affair.
    """
    aliases = _aliases(tree, modules)
    asked = set(_asked(tree))
    found = []
    for node in used_nodes(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and id(node) not in asked:
            module = _module_of(node.value, aliases, modules)
            if module is not None and not _is_there(module, node.attr, modules):
                found.append(_violation(node, module, modules))
    return found


def _is_there(module: str, name: str, modules: _Offered) -> bool:
    return names.is_dunder(name) or name in modules[module] or f"{module}.{name}" in modules


def _module_of(node: ast.expr, aliases: dict[str, str], modules: _Offered) -> str | None:
    """Return the offered module that an expression like `np.random` names."""
    if isinstance(node, ast.Name):
        return aliases.get(node.id)
    if isinstance(node, ast.Attribute):
        outer = _module_of(node.value, aliases, modules)
        inner = f"{outer}.{node.attr}"
        return inner if outer is not None and inner in modules else None
    return None


def _violation(node: ast.Attribute, module: str, modules: _Offered) -> Violation:
    name = f"{module}.{node.attr}"
    offered = ", ".join(sorted(modules[module])[:_LISTED])
    hint = ATTRIBUTE_HINTS.get(name, f"Of '{module}' there are: {offered}.")
    return violation("import-name", node.lineno, node.col_offset + 1, name, hint)


def _aliases(tree: ast.Module, modules: _Offered) -> dict[str, str]:
    """Return the names that stand for offered modules wherever they occur."""
    found: dict[str, set[str]] = {}
    for name, module in _bindings(tree):
        found.setdefault(name, set()).add(module)
    single = {name: next(iter(meant)) for name, meant in found.items() if len(meant) == 1}
    return {name: module for name, module in single.items() if module in modules}


def _bindings(tree: ast.Module) -> Iterator[tuple[str, str]]:  # noqa: C901 - one line for each way to bind
    """Yield every name that the source binds, with the module it then stands for; '' where it is none."""
    nothing: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                for alias in node.names:
                    first = alias.name.split(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (first, first)
            case ast.ImportFrom():
                for alias in node.names:
                    yield alias.asname or alias.name, f"{node.module}.{alias.name}"
            case ast.Assign(targets=[ast.Name() as target], value=ast.Constant(value=None)):
                nothing.add(id(target))
            case ast.Name(ctx=ast.Store() | ast.Del()) if id(node) not in nothing:
                yield node.id, ""
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name, ""
            case ast.arg():
                yield node.arg, ""
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, ""
            case ast.MatchMapping(rest=str(name)):
                yield name, ""
            case _:
                pass


def _asked(tree: ast.Module) -> Iterator[int]:
    """Yield the ids of the attribute nodes whose absence the bot provides for."""
    for node in ast.walk(tree):
        match node:
            case ast.Try() if any(
                handler.type is not None and catches(handler, frozenset({"AttributeError"}))
                for handler in node.handlers
            ):
                for statement in node.body:
                    yield from (id(part) for part in ast.walk(statement) if isinstance(part, ast.Attribute))
            case ast.IfExp(test=test) | ast.If(test=test) if _asks(test):
                yield from (id(part) for part in ast.walk(node) if isinstance(part, ast.Attribute))
            case _:
                pass


def _asks(test: ast.expr) -> bool:
    return any(isinstance(part, ast.Name) and part.id in {"hasattr", "getattr"} for part in ast.walk(test))
