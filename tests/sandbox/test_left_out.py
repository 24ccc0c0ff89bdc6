"""The check says before the first tick what cannot run, and leaves out what nothing uses."""

from __future__ import annotations

import pytest

from sandbox.pool import Pool

HEAD = 'NAME = "x"\nSYMBOLS = ["X"]\ndef on_tick(ctx, tick):\n    pass\n'


def places(pool: Pool, source: str) -> list[tuple[int, int, str]]:
    return [(v["line"], v["column"], v["message"]) for v in pool.check((source + "\n" + HEAD).encode()).violations]


def warned(pool: Pool, source: str) -> list[str]:
    checked = pool.check((source + "\n" + HEAD).encode())
    assert checked.accepted, checked.violations
    return list(checked.warnings)


@pytest.mark.parametrize(("line", "column", "name"), [
    ("x = np.ma.array([1])", 5, "numpy.ma"),
    ("def f():\n    return np.testing.assert_allclose(1, 1)", 12, "numpy.testing"),
    ("np.lib.stride_tricks.as_strided(np.zeros(3), (2,), (8,))", 1, "numpy.lib.stride_tricks.as_strided"),
    ("np.random.SeedSequence()", 1, "numpy.random.SeedSequence"),
    ("f = lambda: [np.linalg.nothing(i) for i in ()]", 14, "numpy.linalg.nothing"),
    ("class A:\n    x = np.polynomial", 9, "numpy.polynomial"),
    ("print(f'{np.char.upper(1)}')", 10, "numpy.char"),
])  # fmt: skip
def test_a_part_of_numpy_that_is_not_offered_is_named_with_its_place(
    bots: Pool, line: str, column: int, name: str
) -> None:
    (found,) = bots.check(f"import numpy as np\n{line}\n{HEAD}".encode()).violations
    assert found["message"] == f"'{name}' is not offered."
    assert (found["line"], found["column"], found["rule"]) == (2 + line.count("\n"), column, "import-name")
    assert found["hint"]


@pytest.mark.parametrize("source", [
    "import math\nmath.sqr(2)", "import random as r\nr.SystemRandom()", "import datetime\ndatetime.datetim.now()",
    "from numpy import linalg as la\nla.nothing", "import numpy.random\nnumpy.random.PCG64()",
    "import collections.abc as c\nc.Nothing", "import sys\nsys.modules", "import sys\nsys.path.insert(0, '.')",
    "try:\n    import numpy as np\nexcept ImportError:\n    np = None\nif np: np.ma",
])  # fmt: skip
def test_the_same_holds_for_every_module_and_way_of_importing(bots: Pool, source: str) -> None:
    assert [message for _, _, message in places(bots, source) if "is not offered" in message]


@pytest.mark.parametrize("source", [
    "import numpy as np\nx = np.trapezoid if hasattr(np, 'trapezoid') else np.nothing",
    "import numpy as np\ntry:\n    f = np.nothing\nexcept AttributeError:\n    f = None",
    "import numpy as np\nclass K:\n    def f(self, np): return np.ma\n",
    "import numpy as np\nnp = type('x', (), {}) if False else np\ng = lambda: np.ma",
    "import numpy as np\ndef f(x: np.ma.MaskedArray) -> np.matrix: return x",
    "import numpy as np\nnp.lib.stride_tricks.sliding_window_view(np.arange(5), 3)",
    "import numpy as np\nnp.random.default_rng(1).normal, np.linalg.norm, np.__version__, np.float64.__name__",
])  # fmt: skip
def test_what_can_run_is_not_refused(bots: Pool, source: str) -> None:
    assert places(bots, source) == []


@pytest.mark.parametrize(("source", "expected"), [
    ("import os", ["Line 1: `import os` was left out: nothing uses it."]),
    ("import math, os, json\nmath.pi, json.dumps", ["Line 1: `import os` was left out: nothing uses it."]),
    ("import os, requests", ["Line 1: `import os, requests` was left out: nothing uses them."]),
    ("from pandas import DataFrame, Series",
     ["Line 1: `from pandas import DataFrame, Series` was left out: nothing uses them."]),
    ("import pandas as pd\ndef f(x: pd.DataFrame) -> 'pd.Series': return x",
     ["Line 1: `import pandas` was left out: nothing uses it."]),
    ("def f():\n    import os", ["Line 2: `import os` was left out: nothing uses it."]),
    ("import os\nif __name__ == '__main__':\n    os.system('x')",
     ["Line 1: `import os` was left out: nothing uses it."]),
    ("if '__main__' == __name__:\n    import requests\n    requests.get('x')",
     ["Line 2: `import requests` was left out: a bot is not run as a program."]),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pandas as pd\n    from x import Y", []),
    ("import typing as t\nif t.TYPE_CHECKING:\n    import pandas as pd\nx = 1", []),
    ("from __future__ import division, print_function, unicode_literals, absolute_import, annotations", []),
    ("from __future__ import with_statement, generators, nested_scopes, generator_stop", []),
    ("try:\n    import pandas as pd\nexcept ImportError:\n    pd = None", []),
])  # fmt: skip
def test_an_import_that_nothing_uses_is_left_out_with_a_warning(bots: Pool, source: str, expected: list[str]) -> None:
    assert warned(bots, source) == expected


@pytest.mark.parametrize("source", [
    "import os\nos.getcwd", "import os\ndef f(): return os", "import os\nx = [os for _ in ()]", "import os\ndel os",
    "from os import getcwd as g\nprint(g)", "import os.path\nos.path", "from . import helper", "from os import *",
    "from __future__ import braces", "from __future__ import nothing_such", "import __main__\n__main__",
    "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import os\nos.getcwd()", "from math import nothing_such",
    "import functools, os\n@functools.singledispatch\ndef f(x): pass\n@f.register\ndef _(x: os.PathLike): pass",
])  # fmt: skip
def test_an_import_that_is_used_is_refused_still(bots: Pool, source: str) -> None:
    assert places(bots, source)


def test_a_fallback_for_a_missing_module_still_runs(bots: Pool) -> None:
    source = "try:\n    import pandas\n    HAS = True\nexcept ImportError:\n    HAS = False\nassert not HAS\n"
    assert warned(bots, source) == []


DATACLASS = """
@dataclasses.dataclass
class T:
    {0}: float
    other: int = 2
    def _asdict(self): return dataclasses.asdict(self)
    def _replace(self, **new): return dataclasses.replace(self, **new)
t = T(1)"""


@pytest.mark.parametrize("field", ["base", "data", "flags", "format", "obj", "mro", "dtype", "size", "view", "dump"])
@pytest.mark.parametrize("made", [
    "class T(typing.NamedTuple):\n    {0}: float\n    other: int = 2\nt = T(1)",
    "T = collections.namedtuple('T', '{0} other')\nt = T(1, 2)",
    "T = typing.NamedTuple('T', [('{0}', int), ('other', int)])\nt = T(1, 2)",
    DATACLASS,
])  # fmt: skip
def test_a_field_may_have_any_ordinary_name(bots: Pool, made: str, field: str) -> None:
    source = "import collections, dataclasses, typing\n" + made.format(field)
    source += f"\nassert t.{field} == 1 and t._replace({field}=5).{field} == 5"
    source += f"\nassert t._asdict() == {{'{field}': 1, 'other': 2}}"
    source += "\nmatch t:\n    case T(a, b):\n        assert (a, b) == (1, 2)\n    case _:\n        raise ValueError\n"
    assert places(bots, source) == []
