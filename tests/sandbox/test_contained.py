"""What crashes CPython or numpy itself ends that bot's process and nothing else.

These overflow the C stack, or have C code lose hold of what it works on. A list of them is in
sandbox/README.md; none gives a bot a way on.
"""

from __future__ import annotations

import pytest

from sandbox.pool import Pool
from tests.sandbox.market import bot
from tests.sandbox.plays import play

NESTS = {
    "map": "iter([1])|map(abs, x)|next(x)", "zip": "iter([1])|zip(x)|next(x)",
    "filter": "iter([1])|filter(None, x)|next(x)",
    "enumerate": "iter([1])|enumerate(x)|next(x)", "chain": "iter([1])|itertools.chain(x)|next(x)",
    "islice": "iter([1])|itertools.islice(x, 5)|next(x)", "takewhile": "iter([1])|itertools.takewhile(bool, x)|next(x)",
    "accumulate": "iter([1])|itertools.accumulate(x)|next(x)",
    "zip_longest": "iter([1])|itertools.zip_longest(x)|next(x)",
    "tuple hash": "()|(x,)|hash(x)", "tuple repr": "()|(x,)|repr(x)", "tuple compare": "()|(x,)|x == (x,)",
    "list repr": "[]|[x]|repr(x)", "frozenset hash": "frozenset()|frozenset([x])|hash(x)",
    "partial": "abs|functools.partial(x)|x(1)", "partial repr": "abs|functools.partial(print, x)|repr(x)",
    "deque": "collections.deque()|collections.deque([x])|x == x.copy()", "alias": "list[int]|list[x]|hash(x)",
    "slice": "slice(1)|slice(x)|x == slice(x)", "proxy": "types.MappingProxyType({})|types.MappingProxyType(x)|len(x)",
    "staticmethod": "abs|staticmethod(x)|x(1)", "dict repr": "{}|{1: x}|repr(x)", "json": "[]|[x]|json.dumps(x)",
    "generators": "iter([1])|(y for y in x)|next(x)",
    "drop": "iter([1])|map(abs, x)|0", "deepcopy": "[]|[x]|copy.deepcopy(x)",
}  # fmt: skip
OTHERS = {
    "an OrderedDict that is cleared while it is compared": """
class Same:
    def __eq__(self, other):
        other_one.clear()
        return True
one = collections.OrderedDict((i, Same()) for i in range(1000))
other_one = collections.OrderedDict((i, i) for i in range(1000))
one == other_one
""",
    "a list that is cleared while numpy reads it": """
class Clears:
    def __float__(self):
        values.clear()
        return 1.0
values = [Clears() for _ in range(1000)]
np.array(values, dtype=float)
""",
    "an array of objects that is cleared while it is sorted": """
class Clears:
    def __lt__(self, other):
        values[:] = 0
        return True
values = np.array([Clears() for _ in range(1000)], dtype=object)
values.sort()
""",
    "an index that shrinks a bytearray": """
class Shrinks:
    def __index__(self):
        data.clear()
        return 65
data = bytearray(1 << 20)
data[-1] = Shrinks()
""",
    "a heap whose comparisons empty it": """
class Empties:
    def __lt__(self, other):
        heap.clear()
        return True
heap = [Empties() for _ in range(1000)]
heapq.heappush(heap, Empties())
""",
}
TOP = "import collections, copy, functools, heapq, itertools, json, types\nimport numpy as np\n"
# A bot that only raised, or did nothing, has not been ended; whatever else it may come to is an end of its own.
ENDS = {"ok", "quarantined"}


def nested(what: str) -> bytes:
    begin, wrap, use = what.split("|")
    return bot(f"x = {begin}\nfor _ in range(200000): x = {wrap}\n{use}", TOP)


def assert_contained(pool: Pool, source: bytes) -> None:
    status, _, wrong = play(pool, source, 2)
    assert status in ENDS, wrong
    assert play(pool, bot("ctx.log('well')"), 1) == ("ok", ["well"], [])


@pytest.mark.system
@pytest.mark.parametrize("what", NESTS)
def test_a_deep_nest_ends_at_most_its_own_process(bots: Pool, what: str) -> None:
    assert_contained(bots, nested(NESTS[what]))


@pytest.mark.parametrize("what", OTHERS)
def test_what_changes_under_c_code_ends_at_most_its_own_process(bots: Pool, what: str) -> None:
    assert_contained(bots, bot(OTHERS[what].strip(), TOP))
