"""The language wall, second part: imports, and what is refused outright with advice."""

from __future__ import annotations
import __future__

import ast

from sandbox.language.dead_imports import catches_import
from sandbox.language.hints import MODULE_HINT, MODULE_HINTS
from sandbox.language.policy import NamePolicy, Names

# Features that every Python of today has anyway.
_FUTURE = frozenset(name for name in __future__.all_feature_names if name != "barry_as_FLUFL")


class ImportPolicy(NamePolicy):
    """Imports of the offered modules and names only."""

    def __init__(
        self,
        guarded_loads: frozenset[str],
        guarded_stores: frozenset[str],
        own: Names,
        modules: dict[str, frozenset[str]],
    ) -> None:
        super().__init__(guarded_loads, guarded_stores, own)
        self.modules = modules
        self.fallback_depth = 0

    def block(self, body: list[ast.stmt], at: ast.AST) -> list[ast.stmt]:
        """Visit statements; where none is left, `pass` takes their place."""
        visited = [new for new in (self.visit(statement) for statement in body) if new is not None]
        return visited or [ast.copy_location(ast.Pass(), at)]

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Visit a try; inside one that catches ImportError, a missing module is the bot's choice."""
        caught = catches_import(node)
        self.fallback_depth += caught
        node.body = self.block(node.body, node)
        self.fallback_depth -= caught
        node.handlers = [self.visit(handler) for handler in node.handlers]
        for part in ("orelse", "finalbody"):
            block = getattr(node, part)
            if block:
                setattr(node, part, self.block(block, node))
        return node

    # -- imports ----------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> ast.AST:
        """Allow the offered modules."""
        for alias in node.names:
            self._check_module(node, alias.name)
            self.check_name(node, alias.asname or alias.name.split(".")[0])
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        """Allow the offered names of the offered modules."""
        module = node.module or ""
        if module == "__future__":
            if any(alias.name not in _FUTURE for alias in node.names):
                self.refuse(node, "import-name", "this __future__ feature", "Leave it out.")
            return ast.copy_location(ast.Pass(), node)
        if node.level:
            self.refuse(node, "import-relative")
            return node
        known = self._check_module(node, module)
        for alias in node.names:
            if alias.name == "*":
                self.refuse(node, "import-star", module)
                continue
            self.check_name(node, alias.name)
            self.check_name(node, alias.asname)
            if known and alias.name not in self.modules[module] and not self.fallback_depth:
                offered = ", ".join(sorted(self.modules[module])[:40])
                hint = f"From '{module}' there are: {offered}."
                self.refuse(node, "import-name", f"{module}.{alias.name}", hint)
        return node

    def _check_module(self, node: ast.AST, name: str) -> bool:
        if name in self.modules:
            return True
        if not self.fallback_depth:
            hint = MODULE_HINTS.get(name.split(".", maxsplit=1)[0], MODULE_HINT)
            self.refuse(node, "import-not-offered", name, hint)
        return False

    # -- refused with advice ------------------------------------------------------------------------

    def visit_AsyncFunctionDef(self, node: ast.AST) -> ast.AST:
        """Refuse asynchronous code."""
        self.refuse(node, "async")
        return self._rest(node)

    visit_Await = visit_AsyncFor = visit_AsyncWith = visit_AsyncFunctionDef  # noqa: N815

    def visit_TryStar(self, node: ast.AST) -> ast.AST:
        """Refuse exception groups: their handlers reach past the guards (CVE-2025-22153)."""
        self.refuse(node, "except-star")
        return self._rest(node)

    def _rest(self, node: ast.AST) -> ast.AST:
        """Visit the statements inside, so that what is wrong there is reported as well."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                self.visit(child)
        return node

    def visit_TypeAlias(self, node: ast.AST) -> ast.AST:
        """Refuse the type statement."""
        self.refuse(node, "type-alias")
        return node
