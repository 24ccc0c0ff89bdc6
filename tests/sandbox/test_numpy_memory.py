"""In a real locked worker: numpy gives a bot neither what memory held before nor what is behind an object."""

from __future__ import annotations

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot, reply, start, tick

TOP = """
import numpy as np
NONE, ZEROS = np.zeros(1000, bool), np.zeros(1000)
PADDED = np.dtype("i1,f8", align=True)
def old(make):
    for size in (1, 500, 1000):
        kept = [np.full(size, 7.0) for _ in range(50)]
        del kept
        for _ in range(50):
            made = make()
            if any(made) if type(made) is bytes else np.asarray(made).any():
                return "old"
    return "zeros"
"""
MAKERS = (
    "np.empty(1000)",
    "np.empty_like(ZEROS)",
    "np.add(ZEROS, 1, where=NONE)",
    "np.add.outer(np.zeros(10), np.ones(100), where=np.zeros((10, 100), bool))",
    "np.divmod(ZEROS + 1, 1, where=NONE)[1]",
    "ZEROS.clip(1, 2, where=NONE)",
    "np.log(ZEROS + 1, where=NONE, dtype='f4')",
    "np.pad(np.zeros(1), (0, 999), mode='empty')",
    "np.maximum.reduce(np.zeros((10, 1000)), where=np.zeros((10, 1000), bool), initial=0)",
    "np.array([(0, 0.0)] * 500, dtype=PADDED).tobytes()",
    "bytes(np.zeros(500, 'i1,f8').astype(PADDED))",
    "np.concatenate([np.zeros(250, 'i1,f8')] * 2, dtype=PADDED).tobytes()",
    "np.array([(0, 0.0)] * 500, dtype=PADDED)[7].tobytes()",
)
KEPT_BACK = (
    "bytes(np.array([None, len], dtype=object))",
    "bytearray(np.array([None, len], dtype=object))",
    "int.from_bytes(np.array([len], dtype=object), 'little')",
    "np.array([None, len], dtype=object).tobytes()",
    "bytes(np.zeros(1, [('a', 'O')]))",
    "np.array([1.5, 2.5], dtype='g').tobytes()",
    "np.array(['x' * 100], dtype='T').tobytes()",
)
GIVEN = (
    ("bytes(np.arange(2, dtype='i2'))", r"b'\x00\x00\x01\x00'"),
    ("np.float64(1).tobytes().hex()", "000000000000f03f"),
    ("np.random.default_rng(3).permutation(4).tolist()", "[3, 2, 1, 0]"),
    ("bytes(np.zeros(1, 'i1,i2'))", r"b'\x00\x00\x00'"),
)


def said(pool: Pool, body: str) -> str:
    worker = start(pool, bot(body, TOP))
    ((_, text),) = reply(tick(worker, soft=5.0, hard=5.0)).deeds[0].logs
    return text


@pytest.mark.parametrize("maker", MAKERS)
def test_new_memory_holds_zeros(bots: Pool, maker: str) -> None:
    assert said(bots, f"ctx.log(old(lambda: {maker}))") == "zeros"


@pytest.mark.parametrize("expression", KEPT_BACK)
def test_bytes_that_are_no_values_are_kept_back(bots: Pool, expression: str) -> None:
    refused = "except (TypeError, SystemError, ValueError):\n    ctx.log('kept back')"
    assert said(bots, f"try:\n    ctx.log(str({expression}))\n{refused}") == "kept back"


@pytest.mark.parametrize(("expression", "value"), GIVEN)
def test_bytes_that_are_values_are_given(bots: Pool, expression: str, value: str) -> None:
    assert said(bots, f"ctx.log(str({expression}))") == value
