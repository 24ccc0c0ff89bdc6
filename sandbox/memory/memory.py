"""The memory of one bot in a worker: saved as bytes, and restored from them.

The bytes are marshalled and compressed. They are unpacked in a locked worker only, where the worst of what they may
hold is what a bot could have computed.
"""

from __future__ import annotations

import marshal
import types
import zlib
from typing import Any

from sandbox.host import Host, Namespace
from sandbox.language.modules.services import Services
from sandbox.memory.containers import SIMPLE_NAMESPACE
from sandbox.memory.kinds import KINDS, CannotRestoreError
from sandbox.memory.library import PLACES, fill_library, fill_numbers, read_library, read_numbers
from sandbox.memory.restore import Restorer
from sandbox.memory.save import Inventory, Saver
from sandbox.memory.walk import ATOMS, CannotSaveError, Library, World, code_of

_FORM = 1
# How much larger than its compressed bytes a snapshot may be.
_UNPACKED = 16
_PLAIN = ATOMS | {tuple, list, dict}


class Memory:
    """What a bot's module reaches, from the moment it has been loaded."""

    def __init__(
        self, library: Library, host: Host, guest: dict[str, Any], code: types.CodeType, namespace: Namespace
    ) -> None:
        KINDS[library.things["types", "SimpleNamespace"]] = SIMPLE_NAMESPACE
        self._services: Services = host.clock
        self._inventory = Inventory(World(library, guest, code_of(code), namespace))

    def save(self, about: dict[str, Any], bound: int) -> bytes:
        """Return all that the bot remembers, with what the runtime has to say, in at most `bound` bytes."""
        saver = Saver(self._inventory)
        whole = {
            "form": _FORM, "about": about, "mark": self._inventory.mark, "made": saver.made,
            "contents": saver.contents, "library": read_library(self._services),
            "numbers": [read_numbers(numbers, saver) for numbers in PLACES],
        }  # fmt: skip
        plain = marshal.dumps(whole)
        packed = zlib.compress(plain, 1)
        if len(packed) > bound or len(plain) > bound * _UNPACKED:
            raise CannotSaveError(f"it is larger than {bound // 1024} KiB ({len(packed) // 1024} KiB)")
        return packed

    def restore(self, saved: dict[str, Any]) -> None:
        """Put a snapshot into a module that has just been loaded."""
        if saved["mark"] != self._inventory.mark:
            raise CannotRestoreError("the module is not what it was when the snapshot was made")
        restorer = Restorer(self._inventory)
        restorer.restore(saved["made"], saved["contents"])
        for numbers, told in zip(PLACES, saved["numbers"], strict=True):
            fill_numbers(numbers, told, restorer)
        fill_library(self._services, saved["library"])


def unpack(data: bytes, bound: int) -> dict[str, Any]:
    """Return what a snapshot holds, texts and numbers in tuples, lists and dicts; it is not trusted yet."""
    unpacking = zlib.decompressobj()
    plain = unpacking.decompress(data, bound * _UNPACKED)
    if not unpacking.eof or unpacking.unconsumed_tail:
        raise CannotRestoreError("a snapshot that is not whole")
    whole = marshal.loads(plain)  # noqa: S302 - only in a locked child
    if type(whole) is not dict or whole.get("form") != _FORM:
        raise CannotRestoreError("a snapshot of another form")
    _check(whole)
    return whole


def _check(whole: Any) -> None:
    """Refuse what is neither a value nor made of values: code, above all."""
    waiting, seen = [whole], {id(whole)}
    for each in waiting:
        parts: Any = [*each, *each.values()] if type(each) is dict else each
        kinds = set(map(type, parts))
        if not kinds <= _PLAIN:
            raise CannotRestoreError("a snapshot with more than values in it")
        if not kinds <= ATOMS:
            # Marshal can refer back: what holds itself, or doubles at every level, is looked at once.
            fresh = [part for part in parts if type(part) not in ATOMS and id(part) not in seen]
            seen.update(map(id, fresh))
            waiting.extend(fresh)
