"""The types of ctx and tick for an editor, made from the code that enforces them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from arena.runtime.bot import TICK_EXAMPLE, BotRuntime
from sandbox.host import Host
from sandbox.language.modules.services import Services
from sandbox.process.lockdown import Tripwire

_HEAD = '''"""What a bot is handed: types for an editor, not for import at run time.

Name them in a bot as strings: `def on_tick(ctx: "Ctx", tick: "Tick"):`.
"""

from typing import Any, Literal, TypedDict

'''


def bot_stub() -> str:
    """Return the stub file."""
    context = BotRuntime(Host(Services(), Tripwire())).context
    methods = []
    for name in context.__slots__:
        method = getattr(context, name)
        signature = (
            str(inspect.signature(method)).replace("'", "").replace("(", "(self, ", 1).replace("(self, )", "(self)")
        )
        if name == "submit_order":
            signature = signature.replace("side: str", 'side: Literal["BUY", "SELL"]')
        doc = (inspect.getdoc(method) or "").split("\n", maxsplit=1)[0]
        methods.append(f'    def {name}{signature}:\n        """{doc}"""\n')
    body = "\n".join(methods)
    shapes = "\n\n".join([*_shapes("Tick", TICK_EXAMPLE)])
    return (
        f'{_HEAD}class Ctx:\n    """What a bot asks and orders by."""\n\n{body}\n\n{shapes}\n\n'
        "NAME: str\nSYMBOLS: list[str]\n\n"
        'def init(ctx: Ctx) -> None:\n    """Called once before the first tick; optional."""\n\n'
        'def on_tick(ctx: Ctx, tick: Tick) -> None:\n    """Called once every tick."""\n'
    )


def _shapes(name: str, example: Mapping[str, Any]) -> list[str]:
    """Return a TypedDict for an example, those of its parts first."""
    parts, fields = [], []
    for key, value in example.items():
        if isinstance(value, Mapping) and key in {"prices", "positions"}:
            kind = "dict[str, float]"
        elif isinstance(value, Mapping):
            kind = f"{name}{key.title()}"
            parts += _shapes(kind, value)
        else:
            kind = type(value).__name__
        fields.append(f"    {key}: {kind}")
    return [*parts, f"class {name}(TypedDict):\n" + "\n".join(fields) + "\n"]
