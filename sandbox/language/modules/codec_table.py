"""Every text encoding that Python has, loaded before a bot runs: a worker can import none.

A name that is none of them is an ordinary LookupError, without a look for a file of that name.
"""

from __future__ import annotations

import codecs
import contextlib
import encodings
import encodings.aliases
import importlib
import pkgutil

_table: dict[str, codecs.CodecInfo] = {}


def load_codecs() -> None:
    """Load all codecs, and have names looked up among them only; once in a process."""
    if _table:
        return
    names = {module.name for module in pkgutil.iter_modules(encodings.__path__)} - {"aliases"}
    for name in sorted(names):
        # Those of other systems cannot be imported here.
        with contextlib.suppress(ImportError, AttributeError, LookupError):
            _table[name] = _checked(codecs.lookup(name))
    for alias, name in encodings.aliases.aliases.items():
        if name in _table:
            _table.setdefault(alias, _table[name])
    codecs.unregister(encodings.search_function)
    codecs.register(_find)
    # The names of characters are looked up late, too.
    importlib.import_module("unicodedata")
    "\xe9".encode("ascii", "namereplace")


def _checked(codec: codecs.CodecInfo) -> codecs.CodecInfo:
    """Return a codec after its first use, which may load a table of characters."""
    with contextlib.suppress(Exception):
        codec.decode(codec.encode("x")[0])
    return codec


def _find(name: str) -> codecs.CodecInfo | None:
    plain = encodings.normalize_encoding(name).lower()
    return _table.get(plain) or _table.get(plain.replace(".", "_"))
