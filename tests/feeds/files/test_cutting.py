"""Lines that are cut the quick way read as the general reader has them, whatever is in their cells."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from arena.feeds.files import table
from arena.feeds.files.cutting import LineCutter
from arena.feeds.files.words import Text
from tests.feeds.files.test_blocks import loaded

PLAIN = ("2024-01-31 10:00:01.5", "BTC", "42.25", "7")
TIMES = st.builds(
    "2024-01-{:02}{}10:{:02}:{:02}{}{}".format,
    st.integers(1, 31), st.sampled_from("T "), st.integers(0, 59), st.integers(0, 60),
    st.sampled_from(["", ".5", ".25", ".123456", ".1234567", ".123456789", ".000001"]),
    st.sampled_from(["", "Z", "+05:30"]),
)  # fmt: skip
PRICES = st.decimals("0.00000001", "99999999", places=2).map(str) | st.floats(1e-3, 1e9).map(repr) | st.sampled_from(
    ["1", "12345678", "1234567.8", "123456.78", "0.00000001", "", " 5", "5.", ".5", "1e3", "-1", "5x", "1.2.3"]
)  # fmt: skip
NOTES = st.sampled_from(["7", "", "x,y", "'", "#", "\0", "a longer remark than all the others " * 3])
ODD_TIMES = st.sampled_from(["", "never", "2024-13-01 00:00:00"])
ROW = st.tuples(TIMES | ODD_TIMES, st.sampled_from(["BTC", "ETHUSDT", "A B"]), PRICES, NOTES)


@settings(max_examples=150, deadline=None)
@example(
    rows=[("2024-01-01T10:00:00", "BTC", "0.01", "7"), ("2024-01-01T10:00:00", "BTC", "0.01", "x,y")],
    plain=0, separator=",", end="\n", order=[0, 2, 3, 1], size=200,
)  # fmt: skip
@given(
    rows=st.lists(ROW, min_size=1, max_size=8),
    plain=st.integers(0, 30),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    order=st.permutations(range(4)),
    size=st.sampled_from([200, 1 << 20]),
)
def test_rows_read_as_the_general_reader_has_them(tmp_path_factory, rows, plain, separator, end, order, size):
    lines = [("time", "symbol", "price", "note"), *[PLAIN] * plain, *rows, *[PLAIN] * 5]
    path = tmp_path_factory.mktemp("m") / "m.csv"
    path.write_bytes("".join(separator.join(line[n] for n in order) + end for line in lines).encode())
    found = str(loaded(str(path), size, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "can_read", lambda *_: False)
        assert str(loaded(str(path), size, None)) == found


def cells(cutter: LineCutter, place: int) -> list[bytes] | None:
    found = cutter.column(place)
    if found is None:
        return None
    text, starts, ends = found
    return [text.bytes[start:end].tobytes() for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("names", [["A"] * 40, ["A", "ABCDEFGHI"] * 20, ["A"] * 30 + ["A" * 35] * 10])
def test_columns_are_found_whatever_their_width(names, end):
    rows = [[b"%d" % (10**12 + n), name.encode(), b"%.2f" % (n / 3), b"x" * (n % 3)] for n, name in enumerate(names)]
    cutter = LineCutter(Text.of(b"".join(b",".join(row) + end for row in rows)), ord(","), 3, {0, 2})
    assert cutter.fits
    assert [cells(cutter, place) for place in range(4)] == [list(column) for column in zip(*rows, strict=True)]


def test_a_line_that_lacks_a_column_is_not_taken_for_one_with_the_next_lines_cells():
    rows = [b"1700000000,BTCUSDT,5.5\n"] * 30
    rows[25] = b"1700000000,BTCUSDT-PERP\n"
    assert cells(LineCutter(Text.of(b"".join(rows)), ord(","), 2, {0, 2}), 2) is None


def test_a_last_column_with_more_cells_behind_it_is_not_taken_for_one():
    rows = [b"1700000000,5.5,BTCUSDT\n"] * 30
    assert cells(LineCutter(Text.of(b"".join(rows)), ord(","), 2, {0, 1}), 2) == [b"BTCUSDT"] * 30
    rows[25] = b"1700000000,5.5,BTC,SDT\n"
    assert cells(LineCutter(Text.of(b"".join(rows)), ord(","), 2, {0, 1}), 2) is None


def test_a_separator_within_a_cell_of_the_usual_width_is_seen():
    rows = [b"1700000000,BTCUSDT,5.5\n"] * 30
    rows[25] = b"1700000000,BTC,SDT,5.5\n"
    cutter = LineCutter(Text.of(b"".join(rows)), ord(","), 2, {0, 2})
    assert cells(cutter, 1)[25] == b"BTC"
