"""Gives a name to each value that a condition computes on the spot, so that a trace of the bot shows it."""

from __future__ import annotations

import ast


def with_names(source: str) -> tuple[str, dict[str, str]]:
    """Return the source with what its comparisons compute assigned to new names, and the text behind each name.

    Nothing else changes: `if price > sum(prices) / 20` becomes `if price > (value_1 := (…) / 20)`.
    """
    tree = ast.parse(source)
    prefix = "value_"
    while prefix in source:
        prefix += "x_"
    naming = _Naming(prefix)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for part in node.body:
                naming.visit(part)
    return ast.unparse(ast.fix_missing_locations(tree)), naming.texts


class _Naming(ast.NodeTransformer):
    def __init__(self, prefix: str) -> None:
        self._prefix, self._compared, self.texts = prefix, 0, dict[str, str]()

    def visit(self, node: ast.AST) -> ast.AST:
        # A name given in these would belong to another scope, or be refused.
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.NamedExpr):
            return node
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return node
        if isinstance(node, ast.Compare):
            self._compared += 1
            found = self.generic_visit(node)
            self._compared -= 1
            return found
        if self._compared and isinstance(node, ast.BinOp | ast.Call | ast.Subscript):
            name = f"{self._prefix}{len(self.texts) + 1}"
            self.texts[name] = ast.unparse(node)
            self.generic_visit(node)
            return ast.NamedExpr(ast.Name(name, ast.Store()), node)
        return self.generic_visit(node)
