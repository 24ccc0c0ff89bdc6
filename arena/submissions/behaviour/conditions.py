"""Puts a traced tick beside the bot's source: which conditions it came by, whether they held, and with what values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_PLAIN: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "round": round, "float": float}
_LONGEST_TEXT = 200
_NUMBERS = (int, float)


class _UnknownError(Exception):
    """A value that the trace does not tell."""


@dataclass(slots=True)
class Condition:
    """A test that a tick came by; `held` is None where it cannot be told. `parts` are those joined by and/or."""

    line: int
    function: str
    text: str
    held: bool | None
    parts: list[dict[str, Any]] = field(default_factory=list)
    guards_order: bool = False
    leaves: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the condition as the API shows it."""
        return {
            "line": self.line, "function": self.function, "text": self.text, "held": self.held, "parts": self.parts,
        }  # fmt: skip


@dataclass(slots=True)
class Walk:
    """What a tick did: conditions and orders on the way, the lines in order, and the names' last values."""

    conditions: list[Condition] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    logs: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    raised: tuple[int, str] | None = None


def walk(source: str, trace: Mapping[str, Any]) -> Walk:
    """Return what a traced tick did in terms of the source; what is known up to each order is kept with it."""
    tree = ast.parse(source)
    tests = {test.lineno: (node, test) for node, test in _tests(tree)}
    ordering = _ordering_functions(tree)
    found, steps, module = Walk(), trace["steps"], dict(trace["globals"])
    frames: dict[str, dict[str, Any]] = {}
    for place, step in enumerate(steps):
        kind, line = step[0], step[1]
        if kind == "line":
            known = frames.setdefault(step[2], {})
            known.update(step[3])
            module.update(step[4])
            if not found.lines or found.lines[-1] != line:
                found.lines.append(line)
            if line in tests and len(found.conditions) < 100:
                names = {**module, **known}
                node, test = tests[line]
                found.conditions.append(_condition(node, test, step, steps[place + 1 :], names, ordering))
        elif kind == "ctx" and step[2] == "submit_order":
            found.orders.append({**_order(step, found, frames), "globals": dict(module)})
        elif kind == "ctx" and step[2] == "log" and len(found.logs) < 50:
            found.logs.append(str((step[3] or [""])[0]))
        elif kind == "raise":
            found.raised = (line, str(step[3]))
        elif kind == "return":
            found.names = dict(frames.pop(step[2], {})) or found.names
    for known in frames.values():
        found.names = {**found.names, **known}
    return found


def _order(step: Sequence[Any], found: Walk, frames: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    symbol, side, size = (*list(step[3])[:3], None, None, None)[:3]
    function = list(frames)[-1] if frames else ""
    return {
        "line": step[1], "function": function, "symbol": symbol, "side": side, "size": size,
        "locals": dict(frames.get(function, {})), "conditions": len(found.conditions),
    }  # fmt: skip


def _tests(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
            yield node, node.test


def _ordering_functions(tree: ast.Module) -> set[str]:
    """Return the names of functions that submit orders, themselves or through others of the file."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    called = {node.name: {_called(n) for n in ast.walk(node) if isinstance(n, ast.Call)} for node in functions}
    found = {"submit_order"}
    while True:
        more = {name for name, names in called.items() if names & found} - found
        if not more:
            return found
        found |= more


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _condition(
    node: ast.AST, test: ast.expr, step: Sequence[Any], after: Sequence[Sequence[Any]], names: Mapping[str, Any],
    ordering: set[str],
) -> Condition:  # fmt: skip
    asked = _asked(step, after)
    evaluate = _Evaluation(names, asked)
    body = _lines_of(node.body) if isinstance(node, ast.If | ast.While) else set()
    held = _branch(step, after, body, test) if body else None
    if held is None:
        held = evaluate.truth(test)
    joined = test.values if isinstance(test, ast.BoolOp) else [test]
    parts = [
        {"text": _text(part), "held": evaluate.truth(part), "values": evaluate.values_in(part)} for part in joined
    ]  # fmt: skip
    if held is not None and len(parts) == 1:
        parts[0]["held"] = held
    statements = node.body if isinstance(node, ast.If | ast.While) else []
    return Condition(
        step[1], step[2], _text(test), held, parts,
        guards_order=any(_called(n) in ordering for s in statements for n in ast.walk(s) if isinstance(n, ast.Call)),
        leaves=any(isinstance(s, ast.Return | ast.Continue) for s in statements),
    )  # fmt: skip


def _asked(step: Sequence[Any], after: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return what was asked of ctx on this line before the function's next line."""
    found = []
    for each in after:
        if each[0] == "line" and each[2] == step[2]:
            break
        if each[0] == "ctx" and each[1] == step[1]:
            found.append(each)
    return found


def _branch(step: Sequence[Any], after: Sequence[Sequence[Any]], body: set[int], test: ast.expr) -> bool | None:
    """Tell by the function's next line whether the body was entered."""
    own = set(range(test.lineno, (test.end_lineno or test.lineno) + 1))
    for each in after:
        if each[0] == "raise" and each[2] == step[2]:
            return None
        if each[0] == "line" and each[2] == step[2] and (each[1] not in own or each[1] in body):
            return each[1] in body
        if each[0] == "return" and each[2] == step[2]:
            return each[1] in body
    return None


def _lines_of(statements: Sequence[ast.stmt]) -> set[int]:
    return {line for s in statements for line in range(s.lineno, (s.end_lineno or s.lineno) + 1)}


def _text(node: ast.AST) -> str:
    text = ast.unparse(node)
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


class _Evaluation:
    """Works out expressions from the values that a trace has shown; no code of the bot runs."""

    def __init__(self, names: Mapping[str, Any], asked: Sequence[Sequence[Any]]) -> None:
        self._names = names
        self._asked = {(each[2], repr(each[3])): each[4] for each in asked}

    def truth(self, node: ast.expr) -> bool | None:
        try:
            return bool(self._value(node))
        except _UnknownError:
            return None

    def values_in(self, node: ast.expr) -> dict[str, Any]:
        """Return the names, attributes and questions of an expression with their values, those that are known."""
        found: dict[str, Any] = {}
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name | ast.Attribute | ast.Call) and not isinstance(inner, ast.Constant):
                try:
                    value = self._value(inner)
                except _UnknownError:
                    continue
                if value is None or type(value) in {int, float, str, bool}:
                    found[_text(inner)] = value
        return found

    def _value(self, node: ast.AST) -> Any:  # noqa: C901, PLR0911 - one branch for each form of expression
        try:
            match node:
                case ast.Constant(value=value):
                    return value
                case ast.Name(id=name):
                    return self._shown(self._names, name)
                case ast.Attribute(value=inner, attr=name):
                    return self._attribute(inner, name)
                case ast.UnaryOp(op=ast.Not(), operand=inner):
                    return not self._value(inner)
                case ast.UnaryOp(op=ast.USub(), operand=inner):
                    return -self._number(inner)
                case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                    return _ARITHMETIC[type(op)](self._number(left), self._number(right))
                case ast.BoolOp(op=op, values=values):
                    return self._joined(values, every=isinstance(op, ast.And))
                case ast.Compare():
                    return self._compared(node)
                case ast.Call():
                    return self._called(node)
                case _:
                    raise _UnknownError
        except (ArithmeticError, TypeError, ValueError):
            raise _UnknownError from None

    def _shown(self, names: Mapping[str, Any], name: str) -> Any:
        if name not in names:
            raise _UnknownError
        return names[name]

    def _attribute(self, inner: ast.AST, name: str) -> Any:
        holder = self._value(inner)
        attributes = holder.get("attributes") if isinstance(holder, dict) else None
        if not isinstance(attributes, dict):
            raise _UnknownError
        return self._shown(attributes, name)

    def _number(self, node: ast.AST) -> Any:
        value = self._value(node)
        if type(value) not in _NUMBERS:
            raise _UnknownError
        return value

    def _joined(self, values: Sequence[ast.expr], *, every: bool) -> bool:
        unknown = False
        for each in values:
            held = self.truth(each)
            if held is None:
                unknown = True
            elif held is not every:
                return held
        if unknown:
            raise _UnknownError
        return every

    def _compared(self, node: ast.Compare) -> bool:
        left = self._value(node.left)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._value(comparator)
            if type(op) not in _COMPARE or isinstance(left, dict) or isinstance(right, dict):
                if isinstance(op, ast.Is | ast.IsNot) and (left is None or right is None):
                    held = (left is right) is isinstance(op, ast.Is)
                else:
                    raise _UnknownError
            else:
                held = _COMPARE[type(op)](left, right)
            if not held:
                return False
            left = right
        return True

    def _called(self, node: ast.Call) -> Any:
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and not node.keywords:
            key = (node.func.attr, repr([self._value(each) for each in node.args]))
            if key in self._asked:
                return self._asked[key]
        if isinstance(node.func, ast.Name) and not node.keywords:
            if node.func.id == "len" and len(node.args) == 1:
                value = self._value(node.args[0])
                if isinstance(value, dict) and type(value.get("len")) is int:
                    return value["len"]
            elif node.func.id in _PLAIN and node.args:
                return _PLAIN[node.func.id](*(self._number(each) for each in node.args))
        raise _UnknownError
