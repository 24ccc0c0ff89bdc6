"""Commands about other machines that play bots: `arena hosts …` on the server, `arena host` on such a machine."""

from __future__ import annotations

import ipaddress
import os
import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from arena.cli.output import complain, console, moment, print_json, print_table
from arena.errors import ArenaError, NotFoundError, SettingsError

app = typer.Typer(help="The machines that play bots beside the server's own.", no_args_is_help=True)

Db = Annotated[str, typer.Option(help="SQLite file; else the configured database.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Name = Annotated[str, typer.Argument(help="The host's name.", show_default=False)]


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="hosts")
    root.command("host")(host)


def opened(db: str) -> Any:
    """Return the server's database, brought up to date."""
    from arena import config
    from arena.store.database import open_database, upgrade

    settings = config.load(db_path=db or None)
    if not settings.database_url and not Path(settings.db_path).is_file():
        raise NotFoundError(f"There is no database {settings.db_path}; name one by --db or DB_PATH.")
    database = open_database(settings.url)
    upgrade(database)
    return database


@app.command("add")
def add(
    name: Name,
    token_file: Annotated[Path, typer.Option(help="Write the token there, for its owner's eyes only.")] = Path(),
    db: Db = "",
) -> None:
    """Let a machine play bots, and make the token that it shows."""
    from arena.store.hosts import add_host

    token = add_host(opened(db), name)
    if token_file == Path():
        console.print(f"Host {name} may join. Its token, shown this once: {token}", markup=False, soft_wrap=True)
        return
    write_secret(token_file, token)
    console.print(f"Host {name} may join. Its token is in {token_file}.", markup=False, soft_wrap=True)


def write_secret(path: Path, secret: str) -> None:
    """Write a file that nobody but its owner can read, from its first byte on."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ArenaError(f"{path} is there already: name another file, or take that one away first.") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")


@app.command("list")
def list_them(db: Db = "", as_json: AsJson = False) -> None:
    """List the hosts, how they are doing, and why one is gone."""
    from arena.store.hosts import list_hosts

    rows = list_hosts(opened(db))
    if as_json:
        print_json(rows)
        return
    if not rows:
        console.print("No machine but this one plays bots. `arena hosts add NAME` lets one.")
        return
    for row in rows:
        row["tick"] = f"{row['tick_seconds'] * 1e3:.0f} ms"
        row["used"] = f"{row['memory'] >> 20:,} of {row['capacity'] >> 20:,} MiB"
        row["lease"] = moment(row["lease_until"]) if row["lease_until"] else ""
    columns = (
        ("name", "HOST"), ("state", "STATE"), ("level", "LEVEL"), ("bots", "BOTS"), ("tick", "TICK"),
        ("used", "MEMORY"), ("lease", "LEASE UNTIL"), ("reason", "REASON"),
    )  # fmt: skip
    print_table(columns, rows, "", ("lease", "reason"))


@app.command("drain")
def drain(name: Name, db: Db = "") -> None:
    """Have a host's bots moved to others, tick by tick, so that it can be switched off."""
    from arena.store.hosts import drain_host

    drain_host(opened(db), name)
    console.print(f"Host {name} is being drained: `arena hosts list` says how many bots it still has.", markup=False)


@app.command("remove")
def remove(name: Name, db: Db = "") -> None:
    """Make a host's token useless; its bots are brought back elsewhere."""
    from arena.store.hosts import remove_host

    remove_host(opened(db), name)
    console.print(f"Host {name} is removed.", markup=False)


def host(
    server: Annotated[str, typer.Option(help="Where the server listens for hosts, as wss://arena.example:8800.")],
    token_file: Annotated[
        str, typer.Option(help="File with the host's token; - reads a line of stdin, whose end then ends the host.")
    ],
    memory_mb: Annotated[
        int, typer.Option(min=0, help="MiB that bots may take; 0 is three quarters of this machine's.")
    ] = 0,
    ca: Annotated[Path, typer.Option(help="Certificate by which the server is known, if no public one.")] = Path(),
) -> None:
    """Play bots for a server on another machine; ends with Ctrl-C."""
    from arena import log
    from arena.config import load

    piped = token_file == "-"  # noqa: S105 - not a token but where it is
    token = sys.stdin.readline().strip() if piped else read_secret(Path(token_file))
    if piped:
        # Whoever started this has ended: the bots here end as well.
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    tls = _tls(server, ca)
    settings = load()
    log.set_up(settings.log_level)
    complain("The sandbox is proved first, by trying every forbidden act.")
    from sandbox.doctor import examine

    found = examine()
    if found.level == "none":
        raise ArenaError("The sandbox does not hold here: " + " ".join(found.as_dict()["notes"]))
    _play(settings, server, token, tls, memory_mb, found.level)


def _end_with_stdin() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _play(settings: Any, server: str, token: str, tls: Any, memory_mb: int, level: str) -> None:
    from arena.app import RUNTIME
    from arena.engine.live.garbage import keep_for_good
    from arena.engine.live.memory_budget import budget
    from arena.hosts.agent import HostAgent
    from sandbox.pool import Pool

    agents: list[HostAgent] = []

    def zygote_died() -> None:
        for each in agents:
            each.zygote_died()

    pool = Pool(
        RUNTIME, settings.limits, on_zygote_death=zygote_died,
        tuned=settings.sandbox_tuning,
    )  # fmt: skip
    pool.start()
    try:
        agent = HostAgent(server, token, pool, budget(memory_mb), level, tls)
        agents.append(agent)
        keep_for_good()
        # SIGTERM ends as Ctrl-C does: the bots end, and the server moves on without them.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        agent.run(lambda: complain(f"Joined {server} at isolation level {level}. Ctrl-C leaves."))
    finally:
        pool.stop()


def read_secret(path: Path) -> str:
    """Return a token of a file; SettingsError where others can read it, or it is empty."""
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError([f"{path} can be read by others: `chmod 600 {path}` first, and make a new token."])
        token = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path} cannot be read: {error}"]) from None
    if not token:
        raise SettingsError([f"{path} is empty: it should hold the host's token."])
    return token


def _tls(server: str, ca: Path) -> ssl.SSLContext | None:
    """Return how the server is known, None for a loopback address without TLS."""
    address = urlsplit(server)
    if address.scheme not in {"ws", "wss"} or not address.hostname:
        raise SettingsError([f"{server!r} is no address of a server: it should be like wss://arena.example:8800."])
    if address.scheme == "ws":
        try:
            local = address.hostname == "localhost" or ipaddress.ip_address(address.hostname).is_loopback
        except ValueError:
            local = False
        if not local:
            raise SettingsError([f"{server} would show the token to everybody on the way: use wss://."])
        return None
    try:
        return ssl.create_default_context(cafile=None if ca == Path() else str(ca))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"{ca} cannot be used: {error}"]) from None
