"""Many threads parse at once, as the workers of the queue do."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor

from arena.submissions import syntax
from tests.arenas import BUYER, bot_source


def test_threads_that_parse_at_once_do_not_disturb_one_another() -> None:
    source = bot_source("\n".join([BUYER] * 100) + "\nx = " + "(" * 60 + "1" + ")" * 60)
    right = ast.dump(ast.parse(source))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(syntax.parse, [source] * 64))
    assert {ast.dump(tree) for tree in found} == {right}
