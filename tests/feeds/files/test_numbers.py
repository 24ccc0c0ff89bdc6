"""Numbers out of raw text must be the very doubles that Python's own parser gives, or none."""

import numpy as np
import pytest

from arena.feeds.files.aligned import aligned
from arena.feeds.files.words import MARGIN, Text, decimals


def read_with(reader, cells):
    ends = np.cumsum([len(cell) + 1 for cell in cells]) - 1 + MARGIN
    starts = np.concatenate([[MARGIN], ends[:-1] + 1])
    return reader(Text.of(",".join(cells).encode() + b","), starts, ends)


@pytest.mark.parametrize(
    "cells",
    [
        ["59999.25", "59999.3", "60000.0"],
        ["1700000000.106206", "1700000000.2", "1700000100.208199"],
        ["0.00000001", "9.99999999", "0.1"],
        ["1700000000106", "1700000000107", "1700000100000"],
        ["12345678.5", "12345679.25"],
        ["12345678901234.5", "12345678901234.6"],
    ],
)
def test_cells_laid_out_alike_are_read_exactly(cells):
    assert read_with(aligned, cells).tolist() == [float(cell) for cell in cells]


@pytest.mark.parametrize(
    "cells",
    [
        ["59999.25", "999.25"],
        ["59999.25", "59999"],
        ["59999.25", "59999."],
        ["59999.25", "59999.2.5"],
        ["59999.25", "5999x.25"],
        ["59999.25", "59999.2e"],
        ["59999.25", ""],
        ["0.123456789", "0.123456788"],
        ["1234567890.12345678", "1234567890.12345679"],
        ["1700000000106", "170000000010"],
    ],
)
def test_other_cells_are_left_to_other_readers(cells):
    assert read_with(aligned, cells) is None


def test_equally_long_cells_with_many_decimals_are_read_exactly():
    cells = ["0.123456789", "0.123456788"]
    assert read_with(decimals, cells).tolist() == [float(cell) for cell in cells]


def test_random_prices_and_times_are_read_exactly():
    rng = np.random.default_rng(3)
    for digits in range(1, 7):
        cells = [f"{number:.{digits}f}" for number in 1.7e9 + rng.random(500) * 1e4]
        assert read_with(aligned, cells).tolist() == [float(cell) for cell in cells]
