"""Every name of a codec works in a tick or is a LookupError, as in plain Python; none ends the bot."""

from __future__ import annotations

import codecs
import encodings
import encodings.aliases
import pkgutil
from typing import Any

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot
from tests.sandbox.plays import play

MODULES = {module.name for module in pkgutil.iter_modules(encodings.__path__)} - {"aliases"}
NAMES = sorted(MODULES | set(encodings.aliases.aliases) | set(encodings.aliases.aliases.values()))
TYPOS = ["utf9", "utf-88", "", " ", "latin1x", "../x", "os", "encodings.ascii", "a.b", "UTF 8", "Latin 1", "utf-8-SIG",
         "x" * 300, "\xe9", "utf_8\n", "__init__", "aliases", "nul\0l"]  # fmt: skip
HANDLERS = ["strict", "ignore", "replace", "xmlcharrefreplace", "backslashreplace", "namereplace", "surrogateescape",
            "surrogatepass", "nothing_such", ""]  # fmt: skip
TOP = f"""
NAMES = {NAMES + TYPOS!r}
HANDLERS = {HANDLERS!r}
def tried(act, *given):
    try:
        return repr(act(*given))
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
def found(name):
    yield tried(str.encode, "aZ\\xe9", name)
    yield tried(bytes.decode, b"aZ", name)
    yield tried(str, b"aZ", name)
    yield tried(bytes, "aZ", name)
    yield tried(bytearray, "aZ", name)
    yield tried(str, b"aZ\\xff", name, "replace")
def handled(name):
    for codec in ("ascii", "latin-1", "utf-8", "cp1252", "idna"):
        yield tried(str.encode, "aZ\\xe9\\u20ac\\ud800", codec, name)
        yield tried(bytes.decode, b"aZ\\xff\\xfe", codec, name)
PART = [0]
"""
PER_TICK = 8
BODY = f"""
begin = PART[0]
PART[0] += {PER_TICK}
for name in NAMES[begin:PART[0]]:
    for line in found(name):
        ctx.log(line[:60])
if begin == 0:
    for name in HANDLERS:
        ctx.log("; ".join(handled(name))[:100])
"""


def in_plain_python() -> list[str]:
    space: dict[str, Any] = {}
    exec(TOP, space)
    lines = []
    for begin in range(0, len(space["NAMES"]), PER_TICK):
        lines += [line[:60] for name in space["NAMES"][begin : begin + PER_TICK] for line in space["found"](name)]
        if begin == 0:
            lines += ["; ".join(space["handled"](name))[:100] for name in HANDLERS]
    return lines


def visible(lines: list[str]) -> list[str]:
    return ["".join(character for character in line if character.isprintable()).strip() for line in lines]


@pytest.fixture(scope="module")
def told(bots: Pool) -> list[str]:
    ticks = -(-len(NAMES + TYPOS) // PER_TICK)
    status, logs, wrong = play(bots, bot(BODY, TOP), ticks)
    assert (status, wrong) == ("ok", [])
    return logs


def test_every_codec_does_in_a_tick_what_it_does_in_plain_python(told: list[str]) -> None:
    plain = in_plain_python()
    assert len(told) == len(plain) > 2000
    # The log leaves out what cannot be seen.
    assert [pair for pair in zip(visible(plain), visible(told), strict=True) if pair[0] != pair[1]] == []


def test_names_that_python_lacks_are_lookup_errors(told: list[str]) -> None:
    for name in ("utf9", "utf-88", "latin1x"):
        with pytest.raises(LookupError):
            codecs.lookup(name)
        assert f"LookupError: unknown encoding: {name}" in told
