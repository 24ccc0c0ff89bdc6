"""The language wall, last part: statements, functions, classes and patterns."""

from __future__ import annotations

import ast
import copy

from sandbox.language import names
from sandbox.language.policy import NamePolicy, guard_call, steady_names, tests_for
from sandbox.language.policy_imports import ImportPolicy

_META = frozenset({"type", "ABCMeta", "EnumMeta", "EnumType"})
_DATACLASS_MARKS = {"InitVar": "initvar", "KW_ONLY": "kw_only"}


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


class Policy(ImportPolicy):
    """What a bot may write; missing `visit_` methods refuse."""

    # -- kept as they are ---------------------------------------------------------------------

    visit_Assign = visit_For = visit_comprehension = visit_With = NamePolicy.plain  # noqa: N815
    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = NamePolicy.nested  # noqa: N815
    visit_NamedExpr = visit_Delete = visit_JoinedStr = visit_FormattedValue = NamePolicy.plain  # noqa: N815
    visit_Match = visit_match_case = visit_MatchSingleton = visit_MatchSequence = NamePolicy.plain  # noqa: N815
    visit_MatchOr = visit_withitem = visit_Return = visit_Yield = visit_YieldFrom = NamePolicy.plain  # noqa: N815
    visit_Module = NamePolicy.plain  # noqa: N815

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
