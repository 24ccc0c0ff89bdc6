"""What a bot file must define: checked in the checker once the module is loaded, and read by the server."""

from __future__ import annotations

import inspect as signatures
from typing import Any

from arena.core.orders import MAX_SYMBOL_LENGTH
from arena.core.text import NAME_LIMIT, clean_name
from sandbox.host import Namespace

MAX_SYMBOLS = 100


def broken_rules(namespace: Namespace) -> list[tuple[str, str]]:
    """Return (rule, detail) for everything in which a loaded module breaks the contract."""
    return [
        *_check_name(namespace),
        *_check_symbols(namespace),
        *_check_callable(namespace, "on_tick", 2),
        *(_check_callable(namespace, "init", 1) if "init" in namespace else ()),
    ]


def read_facts(facts: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return NAME and SYMBOLS of a checker's facts, which are hostile; ValueError where they lie."""
    name, symbols = facts.get("name"), facts.get("symbols")
    if not isinstance(name, str) or not clean_name(name) or len(name) > NAME_LIMIT:
        raise ValueError("a NAME that no check can have passed")
    if not isinstance(symbols, list) or not 1 <= len(symbols) <= MAX_SYMBOLS:
        raise ValueError("SYMBOLS that no check can have passed")
    if not all(isinstance(symbol, str) and 1 <= len(symbol) <= MAX_SYMBOL_LENGTH for symbol in symbols):
        raise ValueError("SYMBOLS that no check can have passed")
    return clean_name(name), tuple(clean_name(symbol) for symbol in symbols)


def _check_name(namespace: Namespace) -> list[tuple[str, str]]:
    if "NAME" not in namespace:
        return [("name-missing", "")]
    name = namespace["NAME"]
    if type(name) is not str:
        return [("name-invalid", f"it is of type {type(name).__name__}")]
    if not clean_name(name):
        return [("name-invalid", "it is blank")]
    if len(name) > NAME_LIMIT:
        return [("name-invalid", f"it has {len(name)} characters")]
    return []


def _check_symbols(namespace: Namespace) -> list[tuple[str, str]]:
    if "SYMBOLS" not in namespace:
        return [("symbols-missing", "")]
    symbols = namespace["SYMBOLS"]
    if type(symbols) not in {list, tuple, set, frozenset}:
        return [("symbols-invalid", f"it is of type {type(symbols).__name__}")]
    if not 1 <= len(symbols) <= MAX_SYMBOLS:
        return [("symbols-invalid", f"it has {len(symbols)} entries")]
    for symbol in symbols:
        if type(symbol) is not str or not 1 <= len(symbol) <= MAX_SYMBOL_LENGTH:
            return [("symbols-invalid", "an entry is not a short text")]
    return []


def _check_callable(namespace: Namespace, name: str, arguments: int) -> list[tuple[str, str]]:
    rule = name.replace("_", "-")
    if name not in namespace:
        return [(f"{rule}-missing", "")]
    function = namespace[name]
    if isinstance(function, type) or not callable(function):
        return [(f"{rule}-invalid", f"it is a {type(function).__name__}, not a function")]
    if signatures.isgeneratorfunction(function):
        return [(f"{rule}-invalid", "it is a generator, so calling it runs nothing")]
    try:
        signatures.signature(function).bind(*range(arguments))
    except (TypeError, ValueError) as error:
        return [(f"{rule}-invalid", str(error))]
    return []
