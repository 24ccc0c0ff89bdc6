"""`arena serve`: the server, and the dashboard where a terminal runs it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli import early
from arena.cli.output import complain, errors, plural
from arena.cli.service import ServiceManager
from arena.errors import ArenaError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = None,
    feed: Annotated[
        str | None,
        typer.Option(help="binance, alpaca, manifold, stockdata, ccxt:EXCHANGE, synthetic or replay:PATH; or several."),
    ] = None,
    db: Annotated[Path | None, typer.Option(help="SQLite file.")] = None,
    no_dashboard: Annotated[bool, typer.Option("--no-dashboard", help="Log lines only.")] = False,
) -> None:
    """Run the server: the market clock, the bots, the API and the page."""
    settings = config.load(host=host, port=port, feed=feed, db_path=None if db is None else str(db))
    listening = _listen(settings.host, settings.port)
    from arena import log

    as_json = settings.log_format == "json"
    dashboard = sys.stdout.isatty() and sys.stdin.isatty() and not no_dashboard and not as_json
    # Until the screen comes up, a start shows what it does as one without a screen does.
    lines = log.LastLines(200, sys.stderr) if dashboard else None
    log.set_up(settings.log_level, lines, form=settings.log_format, hide=settings.secrets)
    try:
        _run(settings, listening, lines, _logged if as_json else complain)
    finally:
        _leave_log(lines)


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


def _logged(words: str) -> None:
    """Say something as a line of the log, where a program reads what stands on stderr."""
    logging.getLogger("arena").info("%s", words)


def _run(settings: config.Settings, listening: socket.socket, lines: Any, say: Callable[[str], None]) -> None:
    manager = ServiceManager(*config.take_service_manager())
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    address = f"http://{name}:{listening.getsockname()[1]}"
    # SIGTERM ends as Ctrl-C does: with the tick finished and everything written.
    signal.signal(signal.SIGTERM, _ended)
    say(f"Starting on {address} (the sandbox is proved first, by trying every forbidden act)")
    manager.tell("STATUS=The sandbox is being proved.")
    with ThreadPoolExecutor(1) as beside:
        proving = beside.submit(_prove)
        # A second of Python, while the acts are tried in processes of their own.
        from arena.app import Arena
        from arena.engine.live.garbage import keep_for_good
        from arena.web.serving import server_config

        proof = proving.result()
    say(f"The sandbox holds (level {proof['level']}). The database, the market and the bots come up{_wait(settings)}.")
    manager.tell("STATUS=The database, the market and the bots come up.")
    arena = Arena(settings, proof, manager.beat, early.taken())
    begun = False
    try:
        app = arena.start()
        begun = True
        keep_for_good()
        early.as_usual()
        say(f"{address}  (Ctrl-C stops)")
        server = _server(server_config(app), arena, say)
        manager.tell("READY=1", f"STATUS=Season {arena.engine.season.number} on {address}")
        screen = _start_dashboard(arena, server, lines, address) if lines is not None else None
        server.screen = screen
        try:
            # A SIGTERM that comes before the loop does ends it as well, and needs no words of Python's beside ours.
            warnings.filterwarnings("ignore", "coroutine 'Server.serve' was never awaited", RuntimeWarning)
            server.run(sockets=[listening])
        finally:
            manager.stopping()
            if screen is not None:
                screen.stop()
                _leave_log(lines)
                say(_waits_for(arena))
    finally:
        # Here as well where a signal comes before anything is served.
        manager.stopping()
        _bear_impatience()
        arena.stop()
        if begun:
            _leave_log(lines)
            say(_last_line(arena, settings))


def _leave_log(lines: Any) -> None:
    """Leave the end of the log readable where the screen that showed it is gone."""
    if lines:
        for line in list(lines.unseen)[-20:]:
            errors.print(line)
        lines.unseen.clear()


def _ended(*_: object) -> None:
    raise SystemExit(0)


def _bear_impatience() -> None:
    """Let a second Ctrl-C not cut what is being written; a third one ends at once, which a restart repairs."""

    def at_once(*_: object) -> None:
        os._exit(130)

    def once_more(*_: object) -> None:
        signal.signal(signal.SIGINT, at_once)
        os.write(2, b"arena: Still shutting down. Ctrl-C once more ends at once.\n")

    signal.signal(signal.SIGINT, once_more)
    signal.signal(signal.SIGTERM, once_more)


def _wait(settings: config.Settings) -> str:
    """Say for how long a live market is waited for."""
    live = [feed for feed in settings.feeds if feed != "synthetic" and not feed.startswith("replay:")]
    if not live:
        return ""
    return f"; {', '.join(live)} has {settings.feed_wait_seconds:g} s for a first price"


def _waits_for(arena: Any) -> str:
    bots = sum(seat.status != "retired" for seat in arena.engine.roster.seats())
    return f"Shutting down… The tick under way, {plural(bots, 'bot')} and the database are waited for."


def _last_line(arena: Any, settings: config.Settings) -> str:
    season, tick = arena.engine.season, arena.engine.market.n
    where = "the database" if settings.database_url else settings.db_path
    until = f"up to tick {tick:,}" if tick >= 0 else "which had no tick yet"
    return f"Stopped. All is written to {where}: season {season.number}, {until}."


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


def _start_dashboard(arena: Any, server: Any, lines: Any, address: str) -> Any:
    from arena.cli.dashboard import Dashboard, LocalBoard

    def stop() -> None:
        server.should_exit = True

    screen = Dashboard(LocalBoard(arena, address), stop, lines.lines)
    lines.echo = None
    screen.start()
    return screen


def _server(settings: Any, arena: Any, say: Callable[[str], None]) -> Any:
    # Made here because uvicorn takes a while to import and other commands do not need it.
    import uvicorn
    from sse_starlette.sse import AppStatus

    # It would cut the streams in the middle; `shutdown` lets them end.
    AppStatus.disable_automatic_graceful_drain()  # type: ignore[no-untyped-call]

    class Server(uvicorn.Server):
        """Ends the live streams first, because a browser would hold them open for ever."""

        screen: Any = None

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Say what is waited for, end the streams, then the connections."""
            words = _waits_for(arena)
            if self.screen is None:
                say(words)
            else:
                self.screen.say(words)
            # A request that is cut off from here on is its client's loss and no error of ours.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            arena.broadcast.close()
            await super().shutdown(sockets)

    return Server(settings)
