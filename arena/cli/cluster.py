"""`arena cluster up` and `arena cluster join`: Ray with safe settings, and a host program on each of its machines."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from arena.cli.output import complain
from arena.errors import ArenaError

app = typer.Typer(
    help="Machines that Ray places and watches; needs `pip install 'arena\\[ray]'`.", no_args_is_help=True
)

Address = Annotated[str, typer.Option(help="This machine's address in the private network.")]
TokenFile = Annotated[Path, typer.Option(help="The cluster's token; made by `up`, copied for `join`.")]
_TOKEN = Path("~/.arena/ray.token")
_UP_SECONDS = 90.0
_TEND_EVERY = 5.0
_WHY = "Ray says above why. Where a cluster of before is still running on this machine, `ray stop` ends it."


def register(root: typer.Typer) -> None:
    """Add the commands."""
    root.add_typer(app, name="cluster")


@app.command("up")
def up(
    server: Annotated[str, typer.Option(help="Where the server listens for hosts, as wss://10.0.0.5:8800.")],
    address: Address,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the cluster's head.")] = 6379,
    token_file: TokenFile = _TOKEN,
    memory_mb: Annotated[int, typer.Option(min=0, help="MiB for bots on each machine; 0: three quarters.")] = 0,
    ca: Annotated[str, typer.Option(help="Certificate file by which the server is known, on each machine.")] = "",
    db: Annotated[str, typer.Option(help="SQLite file; else the configured database.")] = "",
) -> None:
    """Start the head of a cluster beside the server, and keep a host program on each machine until Ctrl-C."""
    from arena.hosts.ray_cluster import check_ray, load_ray, make_token, safe_environment, start_command

    command = start_command(address, port=port)
    check_ray()
    path = token_file.expanduser()
    make_token(path)
    ray = load_ray(safe_environment(path))
    # What a service's manager ends it by: the head and the host programs end as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    complain(f"On each other machine: `arena cluster join {address}:{port} --address ITS_OWN`")
    complain(f"with a copy of {path}.")
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as head:  # noqa: S603 - Ray's own command
        try:
            _tend(ray, head, f"{address}:{port}", _options(server, memory_mb, ca), db)
        finally:
            head.terminate()


def _options(server: str, memory_mb: int, ca: str) -> list[str]:
    return ["--server", server, "--memory-mb", str(memory_mb), *(["--ca", ca] if ca else [])]


def _tend(ray: Any, head: subprocess.Popen[bytes], address: str, options: list[str], db: str) -> None:
    from arena.cli.hosts import opened
    from arena.hosts.ray_cluster import RayHosts
    from arena.store.hosts import renew_token

    database = opened(db)
    connect(ray, head, address)
    hosts = RayHosts(ray, lambda name: renew_token(database, name), options)
    told: list[str] = []
    try:
        while head.poll() is None:
            playing = hosts.tend()
            if playing != told:
                complain(f"{len(playing)} machines play: {', '.join(playing)}")
                told = playing
            time.sleep(_TEND_EVERY)
    finally:
        hosts.end()
        ray.shutdown()
    raise ArenaError("The cluster's head has ended.")


def connect(ray: Any, head: subprocess.Popen[bytes], address: str) -> None:
    """Join the cluster of a head that has just been started; ArenaError where it ends or does not come up."""
    end = time.monotonic() + _UP_SECONDS
    host, _, port = address.rpartition(":")
    # Ray itself would try for minutes where nobody listens.
    while not _listens(host, int(port)):
        if head.poll() is not None:
            raise ArenaError(f"The cluster's head has ended at its start: {_WHY}")
        if time.monotonic() > end:
            raise ArenaError(f"The cluster's head does not listen on {address}: {_WHY}")
        time.sleep(0.2)
    while True:
        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except Exception as error:  # noqa: BLE001 - see below
            # Ray has a class of its own for each step of its start.
            if head.poll() is not None or time.monotonic() > end:
                raise ArenaError(f"The cluster's head does not come up: {str(error).splitlines()[0]}") from None
            time.sleep(0.5)
        else:
            return


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


@app.command("join")
def join(
    head: Annotated[str, typer.Argument(help="Address and port of the head, as 10.0.0.5:6379.", show_default=False)],
    address: Address,
    token_file: TokenFile = _TOKEN,
) -> None:
    """Join this machine to a cluster, whose head starts a host program here; ends with Ctrl-C."""
    from arena.config import tell_library
    from arena.hosts.ray_cluster import check_ray, safe_environment, start_command

    check_ray()
    tell_library(safe_environment(token_file.expanduser()))
    command = start_command(address, head=head if ":" in head else f"{head}:6379")
    os.execv(command[0], command)  # noqa: S606 - Ray's own command
