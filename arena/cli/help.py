"""How `--help` looks: the commands by what they are for, and the kinds of values in plain words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperOption

if TYPE_CHECKING:
    from typer.models import CommandInfo, TyperInfo

PANELS = {
    "The server": (
        "serve", "doctor", "config", "db", "users", "tokens", "activity", "hosts", "host", "cluster", "farm", "version",
    ),
    "On a running server": (
        "submit", "upload", "leaderboard", "watch", "bots", "season", "models", "answer", "cancel", "webhooks", "mcp",
    ),
    "Bot files, without a server": ("new", "check", "try", "backtest", "runs", "robust", "tournament", "evolve"),
    "Market data": ("data", "record", "fake-feed"),
    "Proof": ("verify", "export", "audit"),
}  # fmt: skip
_PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}
_KINDS = {
    "str": "TEXT", "int": "NUMBER", "float": "NUMBER", "int range": "NUMBER", "float range": "NUMBER",
    "path": "PATH", "Path": "PATH", "file": "PATH", "directory": "PATH",
}  # fmt: skip


def arrange(app: typer.Typer) -> None:
    """Put each command into the panel of its purpose, in the order of `PANELS`."""
    order = list(_PANEL_OF)
    every: list[CommandInfo | TyperInfo] = [*app.registered_commands, *app.registered_groups]
    for info in every:
        info.rich_help_panel = _PANEL_OF.get(name_of(info), "Commands")
    app.registered_commands.sort(key=lambda info: order.index(name_of(info)) if name_of(info) in order else len(order))
    # typer has no setting for this: it would print <bool> beside each switch, and <list[str]>.
    TyperOption.display_type_rich = _kind_of  # type: ignore[method-assign, assignment]
    TyperArgument.display_type_rich = _kind_of  # type: ignore[method-assign, assignment]


def name_of(info: CommandInfo | TyperInfo) -> str:
    """Return the name that a command or a group is called by."""
    return info.name or getattr(info.callback, "__name__", "").replace("_", "-")


def _kind_of(parameter: TyperOption | TyperArgument, ctx: Any) -> str:
    """Return what stands beside a parameter: the word it was given or its kind, nothing beside a switch."""
    if isinstance(parameter, TyperOption):
        if parameter.is_flag:
            return ""
        if parameter.metavar is not None:
            return parameter.metavar
    kind = parameter.display_type(ctx).strip("<>").removeprefix("list[").removesuffix("]")
    return _KINDS.get(kind, kind)
