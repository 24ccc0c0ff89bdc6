"""Which code and libraries a worker runs on: a snapshot made by another is not used."""

from __future__ import annotations

import functools
import hashlib
import platform
import sys
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
# All that a worker runs beside its bot.
_FOLDERS = ("sandbox", "arena/runtime", "arena/core")
_LIBRARIES = ("numpy", "RestrictedPython")


@functools.cache
def runtime_hash() -> str:
    """Return the hash of the code and the libraries that workers run on."""
    digest = hashlib.sha256()
    facts = (sys.version, platform.machine(), *(version(name) for name in _LIBRARIES))
    digest.update("\n".join(facts).encode())
    for folder in _FOLDERS:
        for path in sorted((_ROOT / folder).rglob("*.py")):
            digest.update(f"\n{path.relative_to(_ROOT)}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
