"""Landlock: no file system, no TCP, no signals or abstract sockets outside the own domain.

The kernel is asked, not files about it: `abi` is 0 where the call does not exist.
Source: linux/landlock.h, ABI 1 to 6.
"""

from __future__ import annotations

import os
import struct

from sandbox.process.kernel import syscall

_CREATE, _RESTRICT = 444, 446
_VERSION_FLAG = 1


def abi() -> int:
    """Return the kernel's Landlock ABI version, 0 if there is none."""
    try:
        return syscall(_CREATE, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def restrict(version: int) -> None:
    """Forbid everything this ABI version can forbid, for this thread and all it starts."""
    files = (1 << 13) - 1
    files |= (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    attributes = struct.pack("<Q", files)
    if version >= 4:
        attributes += struct.pack("<Q", 0b11)
    if version >= 6:
        attributes += struct.pack("<Q", 0b11)
    ruleset = syscall(_CREATE, attributes, len(attributes), 0)
    try:
        syscall(_RESTRICT, ruleset, 0)
    finally:
        os.close(ruleset)
