"""`arena serve`: the server, and the dashboard where a terminal runs it."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.output import complain
from arena.errors import ArenaError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    feed: Annotated[str | None, typer.Option(help="binance, synthetic or replay:PATH.")] = None,
    db: Annotated[Path | None, typer.Option(help="SQLite file.")] = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Log lines only.")] = False,
) -> None:
    """Run the server: the market clock, the bots, the API and the page."""
    settings = config.load(host=host, port=port, feed=feed, db_path=None if db is None else str(db))
    listening = _listen(settings.host, settings.port)
    from arena import log

    dashboard = sys.stdout.isatty() and sys.stdin.isatty() and not no_dashboard
    lines = log.Lines(200) if dashboard else None
    log.set_up(settings.log_level, lines)
    try:
        _run(settings, listening, lines)
    finally:
        # The screen is gone: what it showed of the log stays readable.
        for line in list(lines.lines)[-20:] if lines else ():
            complain(line)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise ArenaError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Choose another with PORT or --port."
        ) from None
    return listening


def _run(settings: config.Settings, listening: socket.socket, lines: Any) -> None:
    from arena.app import Arena
    from arena.engine.collector import keep_for_good
    from arena.web.serving import server_config

    arena = Arena(settings, _prove())
    try:
        app = arena.start()
        keep_for_good()
        bound = listening.getsockname()[1]
        name = f"[{settings.host}]" if ":" in settings.host else settings.host
        complain(f"http://{name}:{bound}  (Ctrl-C stops)")
        server = _server(server_config(app), arena)
        screen = _start_dashboard(arena, server, lines) if lines is not None else None
        try:
            server.run(sockets=[listening])
        finally:
            if screen is not None:
                screen.stop()
    finally:
        arena.stop()


def _prove() -> dict[str, Any]:
    """Try every forbidden act in a locked child before any bot runs; refuse to start if one works."""
    from sandbox.doctor import examine

    found = examine()
    acts = found.as_dict()["acts"]
    if found.level == "none":
        raise ArenaError("The sandbox does not hold here: " + " ".join(found.as_dict()["notes"]))
    return {
        "level": found.level,
        "stopped": sum(act["verdict"] == "stopped" for act in acts),
        "not_provable_here": sum(act["verdict"] == "not provable here" for act in acts),
    }


def _start_dashboard(arena: Any, server: Any, lines: Any) -> Any:
    from arena.cli.dashboard import Dashboard, LocalBoard

    def stop() -> None:
        server.should_exit = True

    screen = Dashboard(LocalBoard(arena), stop, lines.lines)
    screen.start()
    return screen


def _server(settings: Any, arena: Any) -> Any:
    # Made here because uvicorn takes a while to import and other commands do not need it.
    import uvicorn

    class Server(uvicorn.Server):
        """Ends the live streams first, because a browser would hold them open for ever."""

        def handle_exit(self, sig: int, frame: Any) -> None:
            """Take Ctrl-C or SIGTERM."""
            arena.broadcast.close()
            super().handle_exit(sig, frame)

    return Server(settings)
