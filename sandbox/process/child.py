"""What one child does: a checker checks one source, a worker loads a bot and answers calls."""

from __future__ import annotations

import json
import marshal
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from sandbox.host import Guest, Host, Namespace, remembering
from sandbox.process import lockdown
from sandbox.process.limits import Limits
from sandbox.talk.protocol import HEADER, Kind, pack_pair, unpack_pair
from sandbox.talk.snapshot import pack_taken, unpack_bound
from sandbox.talk.verdict import LOCKDOWN_EXIT, MEMORY_EXIT

if TYPE_CHECKING:
    # The compiler is for checkers; imported here, it would lie between the objects that workers use.
    from types import CodeType

    from sandbox.language.rules import Violation
    from sandbox.memory.memory import Memory
    from sandbox.memory.walk import Library
    from sandbox.talk.shared_page import SharedPage


# Looked up once: an enumeration's attribute costs ten times a global.
_CALL, _REPLY, _HEAD = int(Kind.CALL), int(Kind.REPLY), HEADER.size
# Bytes. One tick fits, and such a buffer comes from CPython's own allocator, not from malloc.
_READ_SIZE = 472


@dataclass(slots=True)
class ChildKit:
    """What the zygote has prepared for all its children."""

    host: Host
    make_guest: Callable[[Host], Guest]
    # Made before the fork: each worker has its own copy, and uses it for one bot.
    guest: Guest
    namespace: Namespace
    offered: dict[str, frozenset[str]]
    tripwire: lockdown.Tripwire
    limits: Limits
    # Maps the page that a worker shares with the server, from its descriptor.
    share: Callable[[int], SharedPage]
    # Frames of a bot of our own, and the memory ranges that running them writes to (see `tuning`).
    rehearsal: list[bytes] = field(default_factory=list)
    pages: bytes = b""
    # For snapshots: what looks a bot's module over, what a bot can name, and the memory of the bot that runs here.
    remember: type[Memory] | None = None
    library: Library | None = None
    memory: Memory | None = None
    meta: bytes = b""


def run(kit: ChildKit, confinement: lockdown.Confinement, page: SharedPage | None = None) -> NoReturn:
    """Lock this process down, report it, and serve frames until the server closes the pipe."""
    try:
        lockdown.lock(confinement)
    except Exception as error:  # noqa: BLE001 - our own fault: the server logs it
        _send(Kind.FAULT, 0, f"{type(error).__name__}: {error}".encode())
        os._exit(LOCKDOWN_EXIT)
    _send(Kind.LOCKED, 0, confinement.report())
    try:
        serve(kit, page)
    except MemoryError:
        os._exit(MEMORY_EXIT)
    os._exit(0)


def serve(kit: ChildKit, page: SharedPage | None = None) -> None:
    """Answer frames until the server closes the pipe, or a source has been checked."""
    read, write, parse, pack, call = os.read, os.write, HEADER.unpack_from, HEADER.pack, kit.guest.call
    limit = sys.getrecursionlimit()
    ahead = answer = b""
    while data := ahead or read(0, _READ_SIZE):
        if len(data) < _HEAD:
            data += _exactly(_HEAD - len(data))
        length, kind, seq = parse(data)
        end = _HEAD + length
        if len(data) < end:
            data += _exactly(end - len(data))
        # Bytes of the next frame.
        ahead = data[end:]
        if kind == _CALL:
            answer = call(data[_HEAD:end])
            frame = pack(len(answer), _REPLY, seq) + answer
            sent = write(1, frame)
            if sent < len(frame):
                _write(frame[sent:])
        elif kind in _ANSWERED:
            answered, work = _ANSWERED[kind]
            _send(answered, seq, work(kit, data[_HEAD:end]))
            if kind == Kind.CHECK:
                return
        if page is not None and page.wanted:
            # It calls from a frame of its own: a bot that counts how deep it can go must find the same everywhere.
            sys.setrecursionlimit(limit + 1)
            answer = page.answer_calls(call, answer)
            sys.setrecursionlimit(limit)


def _start(kit: ChildKit, payload: bytes) -> bytes:
    kit.meta, program = unpack_pair(payload)
    return kit.guest.start(kit.meta, lambda: _load(kit, program))


def _load(kit: ChildKit, program: bytes) -> Namespace:
    with kit.tripwire.quiet():
        code = marshal.loads(program)  # noqa: S302 - only in a locked child
    kit.tripwire.arm()
    # Counted as quiet because exec itself raises an audit event; what the module body runs
    # raises events only from code that is watched once this returns.
    with kit.tripwire.quiet():
        exec(code, kit.namespace)  # noqa: S102 - this is the one place where a bot runs
        kit.memory = _memory_of(kit, code)
    return kit.namespace


def _memory_of(kit: ChildKit, code: CodeType) -> Memory | None:
    """Look over the module that has been loaded; None if its memory cannot be saved, for whatever reason."""
    guest = remembering(kit.guest)
    if kit.remember is None or kit.library is None or guest is None:
        return None
    try:
        return kit.remember(kit.library, kit.host, guest.named(), code, kit.namespace)
    except Exception:  # noqa: BLE001 - a bot without snapshots is rebuilt by replay
        return None


def _snapshot(kit: ChildKit, payload: bytes) -> bytes:
    """Return what the bot remembers, or in words why that cannot be saved."""
    guest, memory = remembering(kit.guest), kit.memory
    if memory is None or guest is None:
        return pack_taken(None, "the module cannot be looked over")
    try:
        with kit.tripwire.quiet():
            return pack_taken(memory.save({"meta": kit.meta, "guest": guest.state()}, unpack_bound(payload)))
    except MemoryError:
        return pack_taken(None, "too little memory is left to save it")
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the bot goes on
        return pack_taken(None, describe(error))


def _restore(kit: ChildKit, payload: bytes) -> bytes:
    """Load the bot and put its memory back as a snapshot has it, or say in words why that cannot be done."""
    from sandbox.memory.memory import unpack

    data, program = unpack_pair(payload)
    guest = remembering(kit.guest)
    try:
        if guest is None:
            return pack_taken(None, "this runtime has no snapshots")
        with kit.tripwire.quiet():
            saved = unpack(data, kit.limits.snapshot_bytes)
            kit.meta = saved["about"]["meta"]
        guest.reload(kit.meta, lambda: _load(kit, program))
        if kit.memory is None:
            return pack_taken(None, "the module cannot be looked over")
        with kit.tripwire.quiet():
            kit.memory.restore(saved)
        guest.resume(saved["about"]["guest"])
    except BaseException as error:  # noqa: BLE001 - a snapshot may hold anything
        return pack_taken(None, f"{type(error).__name__}: {describe(error)}")
    return pack_taken(b"")


def check(kit: ChildKit, source: bytes) -> bytes:
    """Return the violations of a source, or its facts and marshalled code."""
    from sandbox.language.compiler import read_bot
    from sandbox.language.rules import violation

    code, violations, warnings = read_bot(source, kit.offered, kit.limits.source_bytes)
    facts: dict[str, Any] = {}
    if code is not None:
        namespace = kit.namespace
        kit.host.seed(0)
        try:
            exec(code, namespace)  # noqa: S102 - the bot's module body, in a locked child
        except BaseException as error:  # noqa: BLE001 - whatever a bot raises is a violation
            violations = [_load_violation(error)]
        else:
            broken, facts = kit.guest.inspect(namespace)
            violations = [violation(rule, 1, 1, detail) for rule, detail in broken]
    told = {"violations": [v.as_dict() for v in violations], "warnings": warnings, "facts": facts}
    head = json.dumps(told, ensure_ascii=True).encode()
    program = marshal.dumps(code) if code is not None and not violations else b""
    return pack_pair(head, program)


def _load_violation(error: BaseException) -> Violation:
    from sandbox.language.compiler import FILENAME
    from sandbox.language.rules import violation

    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return violation("load-failed", line, 1, describe(error))


# What is asked seldom: the kind of the reply, and what makes it.
_ANSWERED: dict[int, tuple[Kind, Callable[[ChildKit, bytes], bytes]]] = {
    Kind.START: (Kind.STARTED, _start),
    Kind.CHECK: (Kind.CHECKED, check),
    Kind.SNAPSHOT: (Kind.SNAPSHOT_TAKEN, _snapshot),
    Kind.RESTORE: (Kind.RESTORED, _restore),
}


def describe(error: BaseException) -> str:
    """Return an exception as a short text, without trusting its `__str__`."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a bot's own __str__ may do anything
        text = ""
    name = type(error).__name__
    return (text if type(text) is str and text else name)[:500]


def _exactly(size: int) -> bytes:
    parts = []
    while size:
        data = os.read(0, min(size, 1 << 20))
        if not data:
            os._exit(0)
        parts.append(data)
        size -= len(data)
    return b"".join(parts)


def _send(kind: int, seq: int, payload: bytes) -> None:
    _write(HEADER.pack(len(payload), kind, seq) + payload)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]
