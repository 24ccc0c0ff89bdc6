"""The policy: which Python a bot may write, and where a guard runs.

RestrictedPython's transformer with our own rules. Accepted code is left native wherever the closed world of
`sandbox.language.universe` proves that harmless: an attribute load or store goes through a guard only for the few
names that some reachable host type must keep to itself. A node that no method here names is refused.
"""

from __future__ import annotations
import __future__

import ast
import copy
from typing import Any, NamedTuple, TypeVar

from RestrictedPython.transformer import RestrictingNodeTransformer

from sandbox.language import names
from sandbox.language.dead_imports import catches_import
from sandbox.language.guard_nodes import guard_call, is_own, steady_names, tests_for
from sandbox.language.hints import BUILTIN_HINTS, MODULE_HINT, MODULE_HINTS
from sandbox.language.rules import Violation, violation

N = TypeVar("N", bound=ast.AST)

# Features that every Python of today has anyway.
_FUTURE = frozenset(name for name in __future__.all_feature_names if name != "barry_as_FLUFL")
_META = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType"})
_DATACLASS_MARKS = {"InitVar": "initvar", "KW_ONLY": "kw_only"}


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


class Names(NamedTuple):
    """What a source binds anywhere, and the attributes it names."""

    bound: frozenset[str]
    attributes: frozenset[str]


class Policy(RestrictingNodeTransformer):
    """What a bot may write; a node without a `visit_` method here is refused."""

    def __init__(
        self,
        guarded_loads: frozenset[str],
        guarded_stores: frozenset[str],
        own: Names,
        modules: dict[str, frozenset[str]],
    ) -> None:
        """Take the attribute names that need a guard, what the source binds, and the names of each module."""
        super().__init__()
        self.violations: list[Violation] = []
        self.modules = modules
        self.fallback_depth = 0
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

    # -- kept as they are ---------------------------------------------------------------------

    visit_Assign = visit_For = visit_comprehension = visit_With = plain  # noqa: N815
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = nested  # noqa: N815
    visit_NamedExpr = visit_Delete = visit_JoinedStr = visit_FormattedValue = plain  # noqa: N815
    visit_Match = visit_match_case = visit_MatchSingleton = visit_MatchSequence = plain  # noqa: N815
    visit_MatchOr = visit_withitem = visit_Return = visit_Yield = visit_YieldFrom = plain  # noqa: N815
    visit_Module = plain  # noqa: N815

    # -- assignments --------------------------------------------------------------------------

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Keep `x += 1` native; a guarded attribute is read and written through its guards."""
        target = node.target
        if isinstance(target, ast.Attribute) and target.attr in (self.guarded_loads | self.guarded_stores):
            of = [self.visit(target.value), ast.Constant(target.attr)]
            operator, value = ast.Constant(type(node.op).__name__), self.visit(node.value)
            call = guard_call("aug_attr", [guard_call("aug_read", of, node), operator, value], node)
            guarded = ast.copy_location(ast.Expr(call), node)
            if not isinstance(of[0], ast.Name):
                return guarded
            owned = ast.AugAssign(ast.Attribute(of[0], target.attr, ast.Store()), node.op, value)
            branch = ast.If(self.test(of[0]), [ast.copy_location(owned, node)], [guarded])
            return ast.fix_missing_locations(ast.copy_location(branch, node))
        return self.plain(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        """Drop an annotation; in a class keep the field but not the expression."""
        mark = self._annotation_mark(node.annotation)
        self.visit(node.annotation)
        target = self.visit(node.target)
        value = self.visit(node.value) if node.value is not None else None
        if self.scopes[-1] == "class" and mark != "ClassVar" and isinstance(target, ast.Name):
            special = _DATACLASS_MARKS.get(mark)
            node.annotation = ast.Constant(None)
            if special is not None:
                node.annotation = ast.Name(f"@{special}", ast.Load())
            node.target, node.value = target, value
            return ast.fix_missing_locations(node)
        if value is None:
            if self.scopes[-1] == "function" and isinstance(target, ast.Name):
                # A bare `x: int` makes x local to the function; keep that meaning.
                node.annotation = ast.Constant(None)
                return ast.fix_missing_locations(node)
            return ast.copy_location(ast.Pass(), node)
        return ast.fix_missing_locations(ast.copy_location(ast.Assign([target], value), node))

    @staticmethod
    def _annotation_mark(node: ast.expr) -> str:
        """Return the outermost name of an annotation: ClassVar of `typing.ClassVar[int]`."""
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value.split("[")[0].split(".")[-1].strip()
        if isinstance(node, ast.Subscript):
            node = node.value
        if isinstance(node, ast.Attribute):
            return node.attr
        return node.id if isinstance(node, ast.Name) else ""

    # -- functions and classes ------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Check names and parameters, drop annotations, allow special methods only in classes."""
        self._check_function_name(node)
        node.decorator_list = [self._decorator(item, node) for item in node.decorator_list]
        self._arguments(node.args)
        if node.returns is not None:
            self.visit(node.returns)
            node.returns = None
        self._drop_type_parameters(node)
        steady = steady_names(node, self.guarded_here)
        self.scopes.append("function")
        self.steady.append(steady)
        node.body = self.block(node.body, node)
        self.steady.pop()
        self.scopes.pop()
        after_docstring = int(ast.get_docstring(node, clean=False) is not None)
        node.body[after_docstring:after_docstring] = tests_for(steady, node)
        return node

    def _decorator(self, decorator: ast.expr, node: ast.FunctionDef) -> ast.expr:
        """Keep the one annotation that is read at run time: that of `@function.register`."""
        visited: ast.expr = self.visit(decorator)
        first = [*node.args.posonlyargs, *node.args.args][:1]
        kind = first[0].annotation if first else None
        bare = isinstance(decorator, ast.Attribute) and decorator.attr == "register"
        if not bare or kind is None or isinstance(kind, ast.Constant):
            return visited
        nothing = ast.arguments([], [], None, [], [], None, [])
        late = ast.Lambda(nothing, self.visit(copy.deepcopy(kind)))
        return guard_call("register", [visited, late], decorator)

    def _check_function_name(self, node: ast.FunctionDef) -> None:
        if self.scopes[-1] == "class" and names.is_dunder(node.name):
            if not names.is_method_name(node.name):
                self.refuse(node, "dunder-method", node.name)
            return
        self.check_name(node, node.name)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """Check the parameters and the body."""
        self._arguments(node.args)
        self.scopes.append("function")
        self.steady.append(frozenset())
        node.body = self.visit(node.body)
        self.steady.pop()
        self.scopes.pop()
        return node

    def _arguments(self, args: ast.arguments) -> None:
        every = [*args.posonlyargs, *args.args, *args.kwonlyargs]
        every += [extra for extra in (args.vararg, args.kwarg) if extra is not None]
        for argument in every:
            self.check_name(argument, argument.arg)
            if argument.annotation is not None:
                self.visit(argument.annotation)
                argument.annotation = None
        args.defaults = [self.visit(value) for value in args.defaults]
        args.kw_defaults = [None if value is None else self.visit(value) for value in args.kw_defaults]

    @staticmethod
    def _drop_type_parameters(node: ast.AST) -> None:
        if getattr(node, "type_params", None):
            node.type_params = []  # type: ignore[attr-defined]

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Build the class through our hook, which checks bases and gives instances a number."""
        self.check_name(node, node.name)
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        if any(_last_name(base) in _META for base in node.bases):
            self.refuse(node, "metaclass", node.name)
        node.bases = [self.visit(base) for base in node.bases]
        chosen: list[ast.expr] = []
        keywords = []
        for keyword in node.keywords:
            if keyword.arg is None:
                self.refuse(node, "not-allowed", "Unpacked class keyword")
            elif keyword.arg == "metaclass":
                if _last_name(keyword.value) not in _META:
                    self.refuse(node, "metaclass", node.name)
                chosen = [self.visit(keyword.value)]
            elif keyword.arg.startswith("_"):
                self.refuse(node, "not-allowed", f"Class keyword '{keyword.arg}'")
            else:
                keywords.append(self.visit(keyword))
        hook = guard_call("metaclass", chosen, node)
        node.keywords = [ast.keyword("metaclass", hook), *keywords]
        self._drop_type_parameters(node)
        self.scopes.append("class")
        self.steady.append(frozenset())
        for statement in node.body:
            self._check_match_args(statement)
        node.body = self.block(node.body, node)
        self.steady.pop()
        self.scopes.pop()
        return ast.fix_missing_locations(node)

    def _check_match_args(self, node: ast.stmt) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if not any(isinstance(t, ast.Name) and t.id == "__match_args__" for t in targets):
            return
        value = getattr(node, "value", None)
        items = value.elts if isinstance(value, ast.Tuple) else [value]
        for item in items:
            text = item.value if isinstance(item, ast.Constant) else None
            if not isinstance(text, str) or not self._pattern_name_ok(text):
                self.refuse(node, "match-args")

    # -- patterns -------------------------------------------------------------------------------

    def _pattern_name_ok(self, name: str) -> bool:
        return not (
            names.is_dunder(name) or names.is_inspect(name) or name in names.RESERVED or name in self.guarded_loads
        )

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        """Allow class patterns whose attributes no host type keeps to itself."""
        for name in node.kwd_attrs:
            if not self._pattern_name_ok(name):
                self.refuse(node, "match-attribute", name)
        return self.plain(node)

    def visit_MatchValue(self, node: ast.MatchValue) -> ast.AST:
        """Allow constants and dotted names that need no guard."""
        for part in ast.walk(node.value):
            if isinstance(part, ast.Attribute) and not self._pattern_name_ok(part.attr):
                self.refuse(node, "match-attribute", part.attr)
                return node
        return self.plain(node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        """Check the name of the rest."""
        self.check_name(node, node.rest)
        return self.plain(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> ast.AST:
        """Check the captured name."""
        self.check_name(node, node.name)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> ast.AST:
        """Check the captured name."""
        self.check_name(node, node.name)
        return self.plain(node)

    # -- scope statements -------------------------------------------------------------------------

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        """Check every name."""
        for name in node.names:
            self.check_name(node, name)
        return node

    visit_Nonlocal = visit_Global  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        """Check the bound name."""
        self.check_name(node, node.name)
        return self.plain(node)

    # -- blocks and imports ------------------------------------------------------------

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
        return self._visit_statements(node)

    visit_Await = visit_AsyncFor = visit_AsyncWith = visit_AsyncFunctionDef  # noqa: N815

    def visit_TryStar(self, node: ast.AST) -> ast.AST:
        """Refuse exception groups: their handlers reach past the guards (CVE-2025-22153)."""
        self.refuse(node, "except-star")
        return self._visit_statements(node)

    def _visit_statements(self, node: ast.AST) -> ast.AST:
        """Visit the statements inside, so that what is wrong there is reported as well."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.stmt | ast.ExceptHandler):
                self.visit(child)
        return node

    def visit_TypeAlias(self, node: ast.AST) -> ast.AST:
        """Refuse the type statement."""
        self.refuse(node, "type-alias")
        return node
