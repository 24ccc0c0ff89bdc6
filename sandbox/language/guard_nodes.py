"""The AST nodes that the policy puts into a bot's code: calls of guards, and tests that make a guard unnecessary.

Guards are called by names that no Python source can spell ("@getattr"), so nothing a bot binds can shadow them.
"""

from __future__ import annotations

import ast
from collections import Counter


def guard_call(guard: str, args: list[ast.expr], at: ast.AST) -> ast.Call:
    """Return a call of a guard by its unspeakable name, placed at the node it stands for."""
    call = ast.Call(func=ast.Name(f"@{guard}", ast.Load()), args=args, keywords=[])
    return ast.fix_missing_locations(ast.copy_location(call, at))


def is_own(name: ast.Name) -> ast.expr:
    """Return the test whether an object's class is all the bot's own: `type(name) in pure`."""
    kind = ast.Call(ast.Name("@type", ast.Load()), [ast.Name(name.id, ast.Load())], [])
    test = ast.Compare(kind, [ast.In()], [ast.Name("@pure", ast.Load())])
    return ast.fix_missing_locations(ast.copy_location(test, name))


def steady_names(node: ast.FunctionDef, guarded: frozenset[str]) -> frozenset[str]:
    """Return the parameters that are never bound again and have guarded attributes read repeatedly.

    For these one test at the start of the function serves all reads in it.
    """
    if not guarded:
        return frozenset()
    arguments = node.args
    steady = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    reads: Counter[str] = Counter()
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            reads[part.value.id] += part.attr in guarded
        elif isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
            steady.discard(part.id)
        elif isinstance(part, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            steady.discard(part.name or "")
        elif isinstance(part, ast.MatchMapping):
            steady.discard(part.rest or "")
        elif isinstance(part, ast.FunctionDef | ast.ClassDef) and part is not node:
            steady.discard(part.name)
        elif isinstance(part, ast.Global | ast.Nonlocal):
            steady -= set(part.names)
        elif isinstance(part, ast.alias):
            steady.discard(part.asname or part.name.split(".")[0])
    return frozenset(name for name in steady if reads[name] > 1)


def tests_for(steady: frozenset[str], at: ast.AST) -> list[ast.stmt]:
    """Return the tests that `steady_names` asks for, as statements."""
    made: list[ast.stmt] = []
    for name in sorted(steady):
        source = ast.copy_location(ast.Name(name, ast.Load()), at)
        keep = ast.Assign([ast.Name(f"@own {name}", ast.Store())], is_own(source))
        made.append(ast.fix_missing_locations(ast.copy_location(keep, at)))
    return made
