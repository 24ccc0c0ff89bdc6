"""Takes imports out of a generated bot that it does not use, or uses only when it is run as a script."""

from __future__ import annotations

import ast

from arena.submissions import syntax

# What models import out of habit and no bot may have.
_REFUSED = frozenset({"sys", "os", "argparse", "logging", "pathlib", "subprocess"})


def without_unused_imports(source: str) -> tuple[str, list[str]]:
    """Return a source without imports of refused modules that it does not need, and a note for each.

    What is taken out becomes a comment, so that the numbers of lines stay.
    """
    tree = syntax.parse(source)
    guards = [node for node in tree.body if _is_main_guard(node)]
    guarded = {id(inner) for guard in guards for inner in ast.walk(guard)}
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in guarded}
    in_guard = {n.id for guard in guards for n in ast.walk(guard) if isinstance(n, ast.Name)}
    lines, notes = source.split("\n"), []
    needs_guard_gone = False
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        kept = [alias for alias in node.names if not _unneeded(node, alias, used)]
        gone = [alias for alias in node.names if alias not in kept]
        if not gone or node.end_lineno is None:
            continue
        if kept:
            node.names = kept
            replacement = ast.unparse(node)
        else:
            replacement = "# an import that nothing here uses was taken out"
        lines[node.lineno - 1 : node.end_lineno] = [replacement] + [""] * (node.end_lineno - node.lineno)
        notes += [f"Line {node.lineno}: the unused import of {_module(node, a)} was taken out." for a in gone]
        needs_guard_gone = needs_guard_gone or any((a.asname or a.name.split(".")[0]) in in_guard for a in gone)
    for guard in guards if needs_guard_gone else []:
        assert guard.end_lineno is not None
        blank = ["# what ran only as a script was taken out"] + [""] * (guard.end_lineno - guard.lineno)
        lines[guard.lineno - 1 : guard.end_lineno] = blank
    return "\n".join(lines), notes


def _is_main_guard(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}


def _module(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return alias.name if isinstance(node, ast.Import) else f"{alias.name} of {node.module}"


def _unneeded(node: ast.Import | ast.ImportFrom, alias: ast.alias, used: set[str]) -> bool:
    module = alias.name if isinstance(node, ast.Import) else node.module or ""
    name = alias.asname or alias.name.split(".")[0]
    return module.split(".")[0] in _REFUSED and name not in used
