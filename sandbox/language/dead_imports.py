"""Leaves out the imports that nothing uses while a bot runs, so that no bot is refused for one of them.

Names are judged by the whole file: an import is of use if its name is read anywhere but in annotations (which
are dropped) and under `if __name__ == "__main__"` (which is never true for a bot).
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping

from sandbox.language import names

_FALLBACKS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_Offered = Mapping[str, frozenset[str]]


def catches(handler: ast.ExceptHandler, wanted: frozenset[str]) -> bool:
    """Say whether a handler is for one of these exceptions, or for all."""
    kinds = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    return any(kind is None or getattr(kind, "id", "") in wanted for kind in kinds)


def catches_import(node: ast.Try) -> bool:
    """Say whether a missing module in this `try` is the bot's own affair."""
    return any(catches(handler, _FALLBACKS) for handler in node.handlers)


def annotations_of(node: ast.AST) -> list[ast.expr]:
    """Return the annotations at a node that are never read; what `@f.register` stands over is read."""
    match node:
        case ast.arg(annotation=ast.expr() as found) | ast.AnnAssign(annotation=found):
            return [found]
        case ast.FunctionDef(returns=ast.expr() as found):
            return [found]
        case _:
            return []


def used_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that matters while a bot runs."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        unread = {id(found) for found in annotations_of(node)}
        if isinstance(node, ast.If) and is_program_test(node.test):
            unread |= {id(statement) for statement in node.body}
        todo += [child for child in ast.iter_child_nodes(node) if id(child) not in unread]
        if isinstance(node, ast.FunctionDef) and any(getattr(d, "attr", "") == "register" for d in node.decorator_list):
            first = [*node.args.posonlyargs, *node.args.args][:1]
            todo += [argument.annotation for argument in first if argument.annotation is not None]


def is_program_test(test: ast.expr) -> bool:
    """Recognise `__name__ == "__main__"`."""
    match test:
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            sides = {getattr(side, "id", getattr(side, "value", None)) for side in (left, right)}
            return sides == {"__name__", "__main__"}
        case _:
            return False


def drop_dead_imports(tree: ast.Module, modules: _Offered, left_out: list[str]) -> ast.Module:
    """Take them out of a tree; `left_out` gets a sentence on each that would have been refused."""
    used = {node.id for node in used_nodes(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store)}
    made: ast.Module = _Pruner(modules, used, _never_checks_types(tree), left_out).visit(tree)
    return made


def _exists(module: str, name: str) -> bool:
    """Say whether Python itself would find a name in an offered module; one that is nowhere is a mistake."""
    real = sys.modules.get(module)
    return real is None or hasattr(real, name) or f"{module}.{name}" in sys.modules


def _never_checks_types(tree: ast.AST) -> bool:
    """Say whether TYPE_CHECKING means what `typing` means by it: a name for False."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="TYPE_CHECKING")], value=ast.Constant(value=False)):
                pass
            case ast.Assign(targets=targets) if any(getattr(t, "id", "") == "TYPE_CHECKING" for t in targets):
                return False
            case ast.arg(arg="TYPE_CHECKING") | ast.AugAssign(target=ast.Name(id="TYPE_CHECKING")):
                return False
            case ast.NamedExpr(target=ast.Name(id="TYPE_CHECKING")) | ast.Global(names=["TYPE_CHECKING"]):
                return False
            case _:
                pass
    return True


class _Pruner(ast.NodeTransformer):
    """Takes refused imports of no use out, and what stands under the two tests that are never true."""

    def __init__(self, modules: _Offered, used: set[str], typing_off: bool, left_out: list[str]) -> None:  # noqa: FBT001
        self._modules = modules
        self._used = used
        self._typing_off = typing_off
        self._left_out = left_out

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Leave a `try` alone whose author asks what can be imported."""
        return node if catches_import(node) else self._block(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        """Empty `if __name__ == "__main__"`, and take the imports out of `if TYPE_CHECKING`."""
        if is_program_test(node.test):
            for statement in node.body:
                for part in ast.walk(statement):
                    if isinstance(part, ast.Import | ast.ImportFrom) and self._is_refused(part):
                        self._note(part, part.names, "a bot is not run as a program")
            node.body = [ast.copy_location(ast.Pass(), node)]
        elif self._typing_off and "TYPE_CHECKING" in {getattr(node.test, "id", ""), getattr(node.test, "attr", "")}:
            kept = [each for each in node.body if not isinstance(each, ast.Import | ast.ImportFrom)]
            node.body = kept or [ast.copy_location(ast.Pass(), node)]
        return self._block(node)

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Take out what is not offered and not used."""
        dead = [alias for alias in node.names if alias.name not in self._modules and self._unused(alias)]
        return self._without(node, dead)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Take out what is not offered and not used."""
        if node.module == "__future__" or node.level:
            return node
        offered = self._modules.get(node.module or "")
        dead = [
            alias for alias in node.names
            if alias.name != "*" and self._unused(alias)
            and (offered is None or (alias.name not in offered and _exists(node.module or "", alias.name)))
        ]  # fmt: skip
        return self._without(node, dead)

    def _unused(self, alias: ast.alias) -> bool:
        bound = alias.asname or alias.name.split(".")[0]
        return bound not in self._used and not names.is_dunder(bound) and bound not in names.RESERVED

    def _is_refused(self, node: ast.Import | ast.ImportFrom) -> bool:
        if isinstance(node, ast.Import):
            return any(alias.name not in self._modules for alias in node.names)
        return node.module != "__future__" and (node.module or "") not in self._modules

    def _without(self, node: ast.Import | ast.ImportFrom, dead: list[ast.alias]) -> ast.AST:
        if not dead:
            return node
        self._note(node, dead, "nothing uses it" if len(dead) == 1 else "nothing uses them")
        node.names = [alias for alias in node.names if alias not in dead]
        return node if node.names else ast.copy_location(ast.Pass(), node)

    def _note(self, node: ast.Import | ast.ImportFrom, dead: list[ast.alias], why: str) -> None:
        what = ", ".join(alias.name for alias in dead)
        source = f"from {node.module or ''} " if isinstance(node, ast.ImportFrom) else ""
        self._left_out.append(f"Line {node.lineno}: `{source}import {what}` was left out: {why}.")

    def _block(self, node: ast.AST) -> ast.AST:
        return self.generic_visit(node)
