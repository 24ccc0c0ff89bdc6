"""The language wall: RestrictedPython's transformer with our own policy.

Accepted code is left native wherever the closed world of `sandbox.language.universe` proves that harmless:
attribute loads and stores go through a guard only for the few names that some reachable host type
must keep to itself. Guards are called by names that no Python source can spell ("@getattr"), so
nothing a bot binds can shadow them. A node that no method here names is refused.
This file holds names, attributes and calls; `sandbox.language.policy_statements` the rest.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import Any, NamedTuple, TypeVar

from RestrictedPython.transformer import RestrictingNodeTransformer

from sandbox.language import names
from sandbox.language.hints import BUILTIN_HINTS
from sandbox.language.rules import Violation, violation

N = TypeVar("N", bound=ast.AST)


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


class Names(NamedTuple):
    """What a source binds anywhere, and the attributes it names."""

    bound: frozenset[str]
    attributes: frozenset[str]


class NamePolicy(RestrictingNodeTransformer):
    """Names, attributes, subscripts and calls."""

    def __init__(self, guarded_loads: frozenset[str], guarded_stores: frozenset[str], own: Names) -> None:
        super().__init__()
        self.violations: list[Violation] = []
        self.guarded_loads = guarded_loads
        self.guarded_stores = guarded_stores
        self.bound = own.bound
        self.guarded_here = guarded_loads & own.attributes
        self.scopes: list[str] = ["module"]
        # Per function being visited, the parameters whose test is done at its start.
        self.steady: list[frozenset[str]] = [frozenset()]

    # -- refusing ---------------------------------------------------------------------------

    def refuse(self, node: ast.AST, rule: str, name: str = "", hint: str = "") -> None:
        """Note a violation and go on, so that all of them are found at once."""
        line = getattr(node, "lineno", 1)
        column = getattr(node, "col_offset", 0) + 1
        self.violations.append(violation(rule, line, column, name, hint))

    def error(self, node: ast.AST, info: str) -> None:
        """Take the base class's own refusals (none is expected) as violations too."""
        self.refuse(node, "not-allowed", f"{type(node).__name__} ({info})")

    def warn(self, node: ast.AST, info: str) -> None:
        """Ignore the base class's style warnings."""

    def not_allowed(self, node: ast.AST) -> None:
        """Refuse a kind of node."""
        self.refuse(node, "not-allowed", type(node).__name__)

    def plain(self, node: N) -> N:
        """Keep a node as it is and visit what it holds."""
        for field, value in ast.iter_fields(node):
            if isinstance(value, list):
                setattr(node, field, [item for item in map(self._visited, value) if item is not None])
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def _visited(self, item: Any) -> Any:
        return self.visit(item) if isinstance(item, ast.AST) else item

    def nested(self, node: N) -> N:
        """Visit a scope of its own, in which the tests of the function around it are not at hand."""
        self.steady.append(frozenset())
        visited = self.plain(node)
        self.steady.pop()
        return visited

    def test(self, name: ast.Name) -> ast.expr:
        """Return the test whether a name holds one of the bot's own objects."""
        if name.id in self.steady[-1]:
            return ast.copy_location(ast.Name(f"@own {name.id}", ast.Load()), name)
        return is_own(name)

    def either(self, name: ast.Name, if_own: ast.expr, guarded: ast.expr) -> ast.expr:
        """Return an expression that goes round the guard for the bot's own objects."""
        return ast.copy_location(ast.IfExp(self.test(name), if_own, guarded), name)

    # -- names ------------------------------------------------------------------------------

    def check_name(self, node: ast.AST, name: str | None, *_: object, **__: object) -> None:
        """Refuse to bind a name that means something to the interpreter or to the guards."""
        if name is None:
            return
        if name in names.RESERVED:
            self.refuse(node, "reserved-name", name)
        elif names.is_dunder(name):
            allowed = names.CLASS_BINDABLE if self.scopes[-1] == "class" else names.BINDABLE
            if name not in allowed:
                self.refuse(node, "dunder-name", name)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Check a name; reading a built-in that is not offered is refused with what to use."""
        if not isinstance(node.ctx, ast.Load):
            self.check_name(node, node.id)
        elif node.id == "super":
            self.refuse(node, "super-use")
        elif node.id in names.RESERVED:
            self.refuse(node, "reserved-name", node.id)
        elif names.is_dunder(node.id) and not self._is_readable(node.id):
            self.refuse(node, "dunder-name", node.id)
        elif node.id in BUILTIN_HINTS and node.id not in self.bound:
            self.refuse(node, "builtin-not-offered", node.id, BUILTIN_HINTS[node.id])
        return node

    def _is_readable(self, name: str) -> bool:
        if name in names.METHODS:
            return self.scopes[-1] == "class"
        return name in names.READABLE | names.BINDABLE

    # -- attributes -------------------------------------------------------------------------

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Leave an attribute native where every reachable host type allows that name."""
        name = node.attr
        if names.is_inspect(name):
            self.refuse(node, "inspect-attribute", name)
        elif name in names.RESERVED and name not in names.GUARDED_DUNDERS:
            self.refuse(node, "reserved-name", name)
        elif isinstance(node.ctx, ast.Load):
            return self._load(node, name)
        elif names.is_dunder(name):
            self.refuse(node, "dunder-attribute", name)
        elif name in self.guarded_stores:
            value = self.visit(node.value)
            guarded = guard_call("write", [value, ast.Constant(name)], node)
            plain = isinstance(value, ast.Name) and isinstance(node.ctx, ast.Store)
            node.value = self.either(value, value, guarded) if plain else guarded
            return node
        node.value = self.visit(node.value)
        return node

    def _load(self, node: ast.Attribute, name: str) -> ast.AST:
        if self._is_super_call(node.value):
            return self._super_load(node, name)
        if names.is_dunder(name):
            return self._dunder_load(node, name)
        value = self.visit(node.value)
        node.value = value
        if name not in self.guarded_loads:
            return node
        guarded = guard_call("getattr", [value, ast.Constant(name)], node)
        goes_round = isinstance(value, ast.Name) and name not in names.MACHINERY
        return self.either(value, node, guarded) if goes_round else guarded

    def _dunder_load(self, node: ast.Attribute, name: str) -> ast.AST:
        is_object = isinstance(node.value, ast.Name) and node.value.id == "object"
        if is_object and name in {"__setattr__", "__new__", "__init__"}:
            return guard_call("object_method", [ast.Constant(name)], node)
        value = self.visit(node.value)
        if name in names.GUARDED_DUNDERS or names.is_method_name(name):
            return guard_call("dunder", [value, ast.Constant(name)], node)
        self.refuse(node, "dunder-attribute", name)
        return node

    @staticmethod
    def _is_super_call(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "super"
            and not node.keywords
            and len(node.args) in {0, 2}
            and all(isinstance(argument, ast.Name) for argument in node.args)
        )

    def _super_load(self, node: ast.Attribute, name: str) -> ast.AST:
        """Hold `super()` to the bot's own classes, and what it gives to what the class behind it gives out."""
        if names.is_dunder(name) and not names.is_method_name(name):
            self.refuse(node, "dunder-attribute", name)
        call = node.value
        assert isinstance(call, ast.Call)
        if call.args:
            node.value = guard_call("super", [self.visit(argument) for argument in call.args], call)
        if name in names.GUARDED_ON_SUPER:
            return guard_call("dunder", [node.value, ast.Constant(name)], node)
        if name in self.guarded_loads:
            if name[0] != "_":
                self.refuse(node, "super-use")
            # Most often a helper of the bot's own base class.
            return guard_call("getattr", [node.value, ast.Constant(name)], node)
        return node

    # -- subscripts and calls -----------------------------------------------------------------

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Leave subscripts native: no reachable host type has a harmful one."""
        return self.plain(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Leave calls native: what may be called is decided by what can be reached."""
        return self.plain(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        """Check the keyword's name."""
        self.check_name(node, node.arg)
        return self.plain(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Leave constants alone."""
        return node
