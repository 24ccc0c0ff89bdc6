"""The life of one locked child: a checker that reads a source once, or a worker that answers calls."""

from __future__ import annotations

import json
import marshal
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from sandbox import lockdown
from sandbox.compiler import FILENAME, compile_bot
from sandbox.host import Guest, Host, Namespace
from sandbox.limits import Limits
from sandbox.protocol import HEADER, Kind, pack_pair, unpack_pair
from sandbox.rules import Violation, violation
from sandbox.verdict import LOCKDOWN_EXIT, MEMORY_EXIT


@dataclass(slots=True)
class Kit:
    """What the zygote has prepared for all its children."""

    host: Host
    guest: Callable[[Host], Guest]
    namespace: Callable[[], Namespace]
    offered: dict[str, frozenset[str]]
    tripwire: lockdown.Tripwire
    limits: Limits


def run(kit: Kit, cage: lockdown.Confinement) -> NoReturn:
    """Lock this process down, say so, and serve frames until the server hangs up."""
    try:
        kit.tripwire.install()
        lockdown.lock(cage)
    except Exception as error:  # noqa: BLE001 - our own fault: the server logs it
        _send(Kind.FAULT, 0, f"{type(error).__name__}: {error}".encode())
        os._exit(LOCKDOWN_EXIT)
    _send(Kind.LOCKED, 0, _json({"level": cage.level, "layers": cage.layers, "notes": cage.notes}))
    try:
        _serve(kit)
    except MemoryError:
        os._exit(MEMORY_EXIT)
    os._exit(0)


def _serve(kit: Kit) -> None:
    guest = kit.guest(kit.host)
    while True:
        kind, seq, payload = _receive()
        if kind == Kind.CALL:
            _send(Kind.REPLY, seq, guest.call(payload))
        elif kind == Kind.START:
            _send(Kind.STARTED, seq, _start(kit, guest, payload))
        elif kind == Kind.CHECK:
            _send(Kind.CHECKED, seq, check(kit, guest, payload))
            return


def _start(kit: Kit, guest: Guest, payload: bytes) -> bytes:
    meta, program = unpack_pair(payload)
    code = marshal.loads(program)  # noqa: S302 - only inside the cage

    def load() -> Namespace:
        namespace = kit.namespace()
        kit.tripwire.arm()
        # Counted as quiet because exec itself raises an audit event; what the module body runs
        # raises events only from code that is watched once this returns.
        with kit.tripwire.quiet():
            exec(code, namespace)  # noqa: S102 - this is the one place where a bot runs
        return namespace

    return guest.start(meta, load)


def check(kit: Kit, guest: Guest, source: bytes) -> bytes:
    """Return what is wrong with a source, or its facts and marshalled code."""
    code, violations = compile_bot(source, kit.offered, kit.limits.source_bytes)
    facts: dict[str, Any] = {}
    if code is not None:
        namespace = kit.namespace()
        kit.host.seed(0)
        try:
            exec(code, namespace)  # noqa: S102 - the bot's module body, in a cage of its own
        except BaseException as error:  # noqa: BLE001 - whatever a bot raises is a violation
            violations = [_load_violation(error)]
        else:
            broken, facts = guest.inspect(namespace)
            violations = [violation(rule, 1, 1, detail) for rule, detail in broken]
    head = _json({"violations": [v.as_dict() for v in violations], "facts": facts})
    program = marshal.dumps(code) if code is not None and not violations else b""
    return pack_pair(head, program)


def _load_violation(error: BaseException) -> Violation:
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return violation("load-failed", line, 1, describe(error))


def describe(error: BaseException) -> str:
    """Return an exception as the short text that people read, without trusting its `__str__`."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a bot's own __str__ may do anything
        text = ""
    name = type(error).__name__
    return (text if type(text) is str and text else name)[:500]


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode()


def _receive() -> tuple[int, int, bytes]:
    length, kind, seq = HEADER.unpack(_read(HEADER.size))
    return kind, seq, _read(length)


def _read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 1 << 20))
        if not part:
            os._exit(0)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _send(kind: Kind, seq: int, payload: bytes) -> None:
    data = HEADER.pack(len(payload), kind, seq) + payload
    while data:
        data = data[os.write(1, data) :]
