"""Watches one tick of a bot: the lines it runs, its names and their values, what it asks of ctx.

Set by the runtime before `on_tick` is called, so that the bot never sees it. Only plain values are read: no
code of the bot's runs for it, and the record of a tick has a limit.
"""

from __future__ import annotations

import json
import math
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Mapping
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import numpy as np

from arena.core.orders import type_name
from arena.runtime.ctx import Context

# Bytes of JSON that the record of one tick may have; a reply has at most 128 KiB.
MOST_BYTES = 48 * 1024
_STEPS = 4000
_NAMES, _PARTS, _TEXT = 60, 12, 80
_COLLECTIONS = frozenset({list, tuple, set, frozenset, deque})
_MAPPINGS = frozenset({dict, defaultdict, OrderedDict, Counter})
_FIXED = frozenset({int, float, str, bool, type(None), FunctionType, ModuleType, type})  # they never change
_SCALARS = (np.bool_, np.integer, np.floating)
_Tracer = Callable[[FrameType, str, Any], Any]


class TickTrace:
    """The record of one tick: steps in the order they happened.

    A step is `["line", line, function, {name: value}, {name: value}]` with the names that have changed in that call and
    in the module, `["ctx", line, method, arguments, result]`, `["return", line, function, value]` or
    `["raise", line, function, type]`.
    """

    def __init__(self, file: str, context: Context, namespace: Mapping[str, Any]) -> None:
        self._file = file
        self._namespace = namespace
        self._methods: dict[CodeType, str] = {}
        for name in context.__slots__:
            method = getattr(context, name)
            if isinstance(method, FunctionType):
                self._methods[method.__code__] = name
        self._steps: list[list[Any]] = []
        self._known: dict[FrameType, dict[str, Any]] = {}
        self._before = self._module()
        self._now = dict(self._before)
        self._fixed: dict[str, Any] = {}

    def watch(self, frame: FrameType, event: str, _arg: object) -> _Tracer | None:
        """Take the call of a function; as `sys.settrace` calls it."""
        if event != "call" or len(self._steps) >= _STEPS:
            return None
        if frame.f_code in self._methods:
            return self._asked
        return self._step if frame.f_code.co_filename == self._file else None

    def _step(self, frame: FrameType, event: str, arg: Any) -> _Tracer | None:
        if len(self._steps) >= _STEPS:
            return None
        line, function = frame.f_lineno, frame.f_code.co_name
        if event == "line":
            self._steps.append(["line", line, function, self._changes(frame), self._module_changes()])
        elif event == "return":
            changes, module = self._changes(frame), self._module_changes()
            if changes or module:
                self._steps.append(["line", line, function, changes, module])
            self._steps.append(["return", line, function, shown(arg)])
            self._known.pop(frame, None)
        elif event == "exception":
            self._steps.append(["raise", line, function, type_name(arg[0])])
        return self._step

    def _asked(self, frame: FrameType, event: str, arg: Any) -> _Tracer | None:
        if event == "return":
            caller = frame.f_back
            line = caller.f_lineno if caller is not None and caller.f_code.co_filename == self._file else 0
            code = frame.f_code
            names = code.co_varnames[: code.co_argcount]
            arguments = [shown(frame.f_locals.get(name)) for name in names]
            self._steps.append(["ctx", line, self._methods[code], arguments, shown(arg)])
        return self._asked

    def _changes(self, frame: FrameType) -> dict[str, Any]:
        now = _named(frame.f_locals.items()) if frame.f_code.co_name != "<module>" else {}
        before = self._known.get(frame, {})
        self._known[frame] = now
        return _changed(before, now)

    def _module_changes(self) -> dict[str, Any]:
        """Return the module's names whose values have changed; asked at every line, so most are passed over at once."""
        found: dict[str, Any] = {}
        for name, value in self._namespace.items():
            if type(value) in _FIXED:
                if self._fixed.get(name, self) is value:
                    continue
                self._fixed[name] = value
            if len(found) < _NAMES and not callable(value) and _is_told(name):
                now = shown(value)
                if self._now.get(name[:_TEXT], self) != now:
                    self._now[name[:_TEXT]] = found[name[:_TEXT]] = now
        return found

    def _module(self) -> dict[str, Any]:
        return _named((name, value) for name, value in self._namespace.items() if not callable(value))

    def encoded(self) -> bytes:
        """Return the record as JSON; steps in the middle are left out where it would be too long."""
        after = self._module()
        changed = {name: value for name, value in after.items() if self._before.get(name) != value}
        steps, left_out = self._steps, 0
        while True:
            found = {"globals": self._before, "after": changed, "steps": steps, "left_out": left_out}
            data = json.dumps(found, ensure_ascii=True).encode()
            if len(data) <= MOST_BYTES:
                return data
            if len(steps) < 4:
                self._before = changed = {}
                if not steps:
                    return b'{"globals": {}, "after": {}, "steps": [], "left_out": 0}'
            third = len(steps) // 3
            kept = _without_middle(steps, third) if third else []
            left_out += len(steps) - len(kept)
            steps = kept


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in now.items() if name not in before or before[name] != value}


def _without_middle(steps: list[list[Any]], kept: int) -> list[list[Any]]:
    """Return so many first and last steps; what changed between them stands in the first lines after the gap."""
    module: dict[str, Any] = {}
    calls: dict[str, dict[str, Any]] = {}
    for step in steps[kept : len(steps) - kept]:
        if step[0] == "line":
            calls.setdefault(step[2], {}).update(step[3])
            module.update(step[4])
        elif step[0] == "return":
            calls.pop(step[2], None)
    found = steps[:kept]
    for step in steps[len(steps) - kept :]:
        if step[0] == "line":
            found.append([*step[:3], {**calls.pop(step[2], {}), **step[3]}, {**module, **step[4]}])
            module = {}
        else:
            found.append(step)
    return found


def _named(items: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return plain values by name, without the runtime's own names and what has no value to show."""
    found: dict[str, Any] = {}
    for name, value in items:
        if len(found) >= _NAMES:
            break
        if _is_told(name):
            found[name[:_TEXT]] = shown(value)
    return found


def _is_told(name: Any) -> bool:
    return type(name) is str and name[:1] != "@" and name[:2] != "__" and name not in {"ctx", "tick"}


def shown(value: Any, *, parts: bool = True) -> Any:
    """Return a value as JSON without running any code of a bot: numbers, short texts, or what is known of others."""
    kind = type(value)
    if value is None or kind is bool or (kind is int and value.bit_length() < 64):
        return value
    if kind is float:
        return value if math.isfinite(value) else repr(value)
    if kind is int:
        return f"a whole number of {value.bit_length()} bits"
    if kind is str:
        return value[:_TEXT]
    if issubclass(kind, _SCALARS):
        return shown(np.generic.item(value))
    return _structure(value, kind) if parts else type_name(kind)


def _structure(value: Any, kind: type) -> Any:
    if kind in _MAPPINGS:
        first = list(dict.items(value))[:_PARTS]
        entries = {str(key)[:_TEXT]: _part(each) for key, each in first if type(key) in {str, int}}
        return {"type": type_name(kind), "len": len(value), "entries": entries}
    if kind in _COLLECTIONS or kind is np.ndarray:
        return _collection(value, kind)
    attributes = _attributes(value, kind)
    if attributes is None:
        return {"type": type_name(kind)}
    found = {name[:_TEXT]: _part(each) for name, each in list(attributes.items())[:_PARTS] if type(name) is str}
    return {"type": type_name(kind), "attributes": found}


def _attributes(value: Any, kind: type) -> dict[Any, Any] | None:
    """Return the attributes of an object of the bot's, without asking it."""
    if callable(value) or issubclass(kind, type | ModuleType):
        return None
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return found if type(found) is dict else None


def _collection(value: Any, kind: type) -> Any:
    if kind is np.ndarray:
        last = value.reshape(-1)[-3:].tolist() if value.dtype.kind in "bif" else []
        return {"type": "ndarray", "len": int(value.size), "last": [shown(each) for each in last]}
    last = [] if kind in {set, frozenset} else [shown(value[n], parts=False) for n in range(-min(3, len(value)), 0)]
    return {"type": type_name(kind), "len": len(value), "last": last}


def _part(value: Any) -> Any:
    """Return a value within another: of a collection how long it is and what came last, of an object its type."""
    kind = type(value)
    return _collection(value, kind) if kind in _COLLECTIONS else shown(value, parts=False)
