"""`arena mcp`: the MCP server on stdio, which an agent starts on its own machine; it talks to a running arena."""

from __future__ import annotations

import asyncio
import importlib.util

import typer

from arena.cli.remote import Url
from arena.config import client_defaults
from arena.errors import ArenaError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mcp")(mcp)


def mcp(url: Url = "") -> None:
    """Serve the tools of agents on stdin and stdout; ARENA_TOKEN is the token they act with."""
    if importlib.util.find_spec("mcp") is None:
        raise ArenaError("`arena mcp` needs a library that is not installed: pip install 'arena[mcp]'.")
    asyncio.run(_serve(url))


async def _serve(url: str) -> None:
    from arena.client import AsyncArena
    from arena.mcp.remote import RemoteServices
    from arena.mcp.server import make_server
    from arena.mcp.services import CURRENT

    default, token = client_defaults()
    async with AsyncArena(url or default, token) as arena:
        CURRENT.set(RemoteServices(arena))
        await make_server().run_stdio_async()
