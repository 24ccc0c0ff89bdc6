"""Blocks with quotes around their cells read alike whether the quick way to cut them is taken or not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arena.feeds.files.cutting import LineCutter
from arena.feeds.files.words import Text
from tests.feeds.files.test_blocks import loaded

HEADER = '"time","symbol","price","note"\n'
GOOD = ("2024-01-31 10:00:01.5", "BTC", "42.25", "x")
ODD = st.sampled_from(
    ["", " ", "nan", "inf", "+5", " 5", "5 ", "1_000", "1,000", "0x1", "-1", "0", "1e3", "$5", "#", "é", "\0", "\t",
     "a\n", 'a""b', '"', '""', '","', "\r", "2024-01-31", "a, b", "A B", "''"]
)  # fmt: skip
QUOTING = st.tuples(*[st.booleans()] * 4)
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", ",\n", "\n\n", ' "\n', "\r"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Lines that are all quoted alike, but for a few that have something odd."""
    marked = draw(QUOTING)
    odd = draw(st.dictionaries(st.integers(0, 11), st.tuples(st.integers(0, 3), ODD, QUOTING, ENDS), max_size=3))
    text = []
    for number in range(12):
        cells, quotes, end = list(GOOD), marked, "\n"
        if number in odd:
            place, cell, other, end = odd[number]
            cells[place] = cell
            quotes = other if len(odd) == 3 else marked
        text.append(",".join(f'"{c}"' if q else c for c, q in zip(cells, quotes, strict=True)) + end)
    return "".join(text)


@settings(max_examples=60, deadline=None)
@given(text=lines(), size=st.sampled_from([150, 400, 1 << 20]))
def test_messy_blocks_read_as_if_they_were_never_cut_at_their_quotes(tmp_path_factory, text, size):
    path = tmp_path_factory.mktemp("m") / "m.csv"
    path.write_bytes((HEADER + text).encode())
    found = str(loaded(str(path), size, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LineCutter, "_are_around", lambda *_: False)
        assert str(loaded(str(path), size, None)) == found


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        ('"{n}","A","{n}.5"', True),
        ('{n},"A",{n}.5', True),
        ('"{n}";"A";"{n}.5"', False),
        ('"{n}","A, B","{n}.5"', False),
        ('"{n}","A ""x""","{n}.5"', False),
        ('"{n}",",","{n}.5"', False),
        ('"{n}","A" ,"{n}.5"', False),
        ('"{n}","A\t","{n}.5"', True),
        ('"{n}","A","{n}.5"\r', False),
        ('"{n}","A\r","{n}.5"', False),
        ('"{n}","A\r","{n}.5"\r', False),
        ('"{n}",""","{n}.5"', False),
        ('"{n}","A,"{n}.5"', False),
    ],
)
def test_only_plain_quotes_are_cut_the_quick_way(line, fits):
    text = Text.of("".join(line.format(n=10**12 + n) + "\n" for n in range(1, 30)).encode())
    assert LineCutter(text, ord(","), 2, {0, 2}).fits is fits


def test_a_block_without_a_line_end_does_not_fit():
    assert not LineCutter(Text.of(b'"1","2"'), ord(","), 1, {0, 1}).fits
