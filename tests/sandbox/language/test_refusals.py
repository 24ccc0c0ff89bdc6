"""A refusal says everything at once, and where."""

from __future__ import annotations

from sandbox.pool import Pool

SOURCE = b"""import os
from math import sqrt, nothing_such
NAME = "x"
SYMBOLS = ["X"]
class Meta(type):
    def __getattribute__(self, name):
        return open(name)
def on_tick(ctx, tick):
    x = (lambda: 0).__globals__
    y = [g.gi_frame for g in ()]
    async def later():
        return eval("1") or os.getcwd()
    match x:
        case object(__dict__=d):
            return super
"""


def test_every_violation_is_reported_at_once_with_its_place(bots: Pool) -> None:
    found = [(v["line"], v["column"], v["rule"]) for v in bots.check(SOURCE).violations]
    assert found == [
        (1, 1, "import-not-offered"),
        (2, 1, "import-name"),
        (5, 1, "metaclass"),
        (6, 5, "dunder-method"),
        (7, 16, "builtin-not-offered"),
        (9, 9, "dunder-attribute"),
        (10, 10, "inspect-attribute"),
        (11, 5, "async"),
        (12, 16, "builtin-not-offered"),
        (14, 14, "match-attribute"),
        (15, 20, "super-use"),
    ]


def test_a_hint_says_what_to_write_instead(bots: Pool) -> None:
    hints = {str(v["rule"]): str(v["hint"]) for v in reversed(bots.check(SOURCE).violations)}
    assert "keep state in module globals" in hints["import-not-offered"]
    assert hints["import-name"].startswith("From 'math' there are: acos, ")
    assert hints["builtin-not-offered"] == "A bot has no files; keep state in module globals."
    assert "__init_subclass__" in hints["metaclass"]


def test_a_name_the_bot_binds_itself_is_not_mistaken_for_a_built_in(bots: Pool) -> None:
    source = b'NAME = "x"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n    open = 1\n    input = open\n'
    assert bots.check(source).accepted
