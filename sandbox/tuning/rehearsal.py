"""Runs a bot of our own in the zygote, so that the code that workers run is warm.

Code that runs for the first time writes to itself: CPython counts calls, specialises instructions, and
fills caches. Done here once, before any fork, those pages stay shared by all workers.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace

from sandbox.process import child, kernel
from sandbox.process.child import ChildKit
from sandbox.process.lockdown import Tripwire
from sandbox.talk.protocol import Kind, encode, pack_pair, unpack_pair

# More than CPython's thresholds for counting calls and for specialising.
_TIMES = 24


def rehearse(kit: ChildKit) -> None:
    """Check, start and call the guest's own rehearsal bot, where it has one."""
    prepare_calls()
    words = getattr(kit.make_guest, "rehearsal", None)
    if words is None:
        return
    source, plays = words()
    for _ in range(_TIMES):
        copy = _copy_of(kit)
        program = _read(copy, source)
    _forget_lookups()
    for meta, calls in plays:
        frames = [encode(Kind.START, 1, pack_pair(meta, program))]
        frames += [encode(Kind.CALL, number, call) for number, call in enumerate(calls, 2)]
        for _ in range(_TIMES):
            _play(copy, *frames)
        kit.rehearsal = frames
    kit.host.reset()


def warm_up_reader(kit: ChildKit) -> None:
    """Check our bot in a child that is to check another's: the pages that checking writes to are copied by then."""
    words = getattr(kit.make_guest, "rehearsal", None)
    if words is not None:
        source, _ = words()
        _read(_copy_of(kit), source)
        kit.host.reset()


def _copy_of(kit: ChildKit) -> ChildKit:
    # The real wire stays unarmed: it is armed in a worker, and for good.
    return replace(kit, tripwire=Tripwire(), guest=kit.make_guest(kit.host), namespace=kit.namespace.copy())


def _read(copy: ChildKit, source: bytes) -> bytes:
    limit = sys.getrecursionlimit()
    _, program = unpack_pair(child.check(copy, source))
    sys.setrecursionlimit(limit)
    return program


def prepare_calls() -> None:
    """Call prctl often enough for ctypes' code of it to be warm; this call changes nothing."""
    for _ in range(_TIMES):
        kernel.prctl(kernel.PR_GET_DUMPABLE)


def _forget_lookups() -> None:
    # The type cache keeps a reference to each name; replacing an old entry writes to two names.
    forget = getattr(sys, "_clear_type_cache", None)
    if forget is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            forget()


def _play(kit: ChildKit, *frames: bytes) -> None:
    """Serve frames as a worker does, on the very descriptors that a worker has."""
    down_read, down_write = os.pipe()
    up_read, up_write = os.pipe()
    kept = os.dup(0), os.dup(1)
    os.dup2(down_read, 0)
    os.dup2(up_write, 1)
    try:
        os.write(down_write, b"".join(frames))
        # Hung up on beforehand, so that serving ends with the last of them.
        os.close(down_write)
        child.serve(kit)
    finally:
        for standard, descriptor in enumerate(kept):
            os.dup2(descriptor, standard)
        for descriptor in (down_read, up_read, up_write, *kept):
            os.close(descriptor)
