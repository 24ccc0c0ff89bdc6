"""Finds bots that cannot work although nothing forbids them, with the line and the tick that show it."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Sequence
from typing import Any

from arena.core.orders import OrderStatus
from arena.core.text import clean_line
from arena.submissions import syntax

_RULE = "cannot-work"


def finding(line: int, message: str, hint: str, column: int = 1) -> dict[str, Any]:
    """Return something that keeps a bot from working, in the form of a violation."""
    return {"line": line, "column": column, "rule": _RULE, "message": message, "hint": hint}


def unknown_symbols(source: bytes, symbols: Sequence[str], market: Sequence[str]) -> list[dict[str, Any]]:
    """Return a finding for each symbol that the market lacks, with the one that was probably meant."""
    found = []
    for symbol in symbols:
        if not market or symbol in market:
            continue
        plain = {_plain(name): name for name in market}
        meant = plain.get(_plain(symbol)) or next(iter(difflib.get_close_matches(symbol.upper(), market, 1, 0.6)), None)
        hint = f"Write '{meant}'." if meant else f"The market has {', '.join(list(market)[:12])}."
        found.append(finding(_line_of(source, symbol), f"'{symbol}' is not in this market, so it has no price.", hint))
    return found


def idle_stub(source: bytes) -> list[dict[str, Any]]:
    """Return a finding where the program never orders anything: no line of it submits an order."""
    tree = syntax.parse(source)
    if _order_lines(tree) or "submit_order" in {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}:
        return []
    ticks = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == "on_tick"]
    todo = next((n for n, line in enumerate(source.decode("utf-8", "replace").split("\n"), 1) if "TODO" in line), None)
    line = todo or (ticks[-1].lineno if ticks else 1)
    hint = "Write the strategy out: call ctx.submit_order where the request says to buy and to sell."
    return [finding(line, "The bot is a stub: it never submits an order.", hint)]


def dead_orders(source: bytes, orders: Sequence[Any], ticks: Sequence[int]) -> list[dict[str, Any]]:
    """Return a finding where every single order of the trial run was rejected."""
    rejected = [order for order in orders if order.status is OrderStatus.REJECTED]
    settled = [order for order in orders if order.status in {OrderStatus.REJECTED, OrderStatus.FILLED}]
    if not rejected or len(rejected) < len(settled):
        return []
    first = rejected[0]
    lines = _order_lines(syntax.parse(source))
    hint = 'Order what can be filled: side "BUY" or "SELL", a size that the cash pays for or that is held.'
    when = f", the first at tick {ticks[0]}" if ticks else ""
    how_many = f"All {len(rejected)} orders" if len(rejected) > 1 else "The only order"
    verb = "were" if len(rejected) > 1 else "was"
    message = f"{how_many} of the trial run {verb} rejected{when}: {clean_line(str(first.reason))}"
    return [finding(lines[0] if lines else 1, message, hint)]


def _plain(symbol: str) -> str:
    return "".join(c for c in symbol.upper() if c.isalnum())


def _line_of(source: bytes, text: str) -> int:
    for node in ast.walk(syntax.parse(source)):
        if isinstance(node, ast.Constant) and node.value == text:
            return node.lineno
    return 1


def _order_lines(tree: ast.Module) -> list[int]:
    return sorted(
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "submit_order"
    )
