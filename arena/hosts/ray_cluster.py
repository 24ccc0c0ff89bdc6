"""Hosts placed and watched by a Ray cluster: one actor a machine, which runs the same program as by hand.

Ray isolates nothing and carries no tick: the program connects to the server by its own socket, and its bots are locked
as everywhere. Ray's own ports run whatever they are told, so a cluster without token authentication is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import ipaddress
import logging
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from arena.config import environment as own_environment
from arena.config import tell_library
from arena.errors import ArenaError, SettingsError

log = logging.getLogger("arena.hosts")

# Earlier versions have no token authentication: whoever reaches a port of theirs runs code there.
LEAST_RAY = (2, 52)
_PAUSE = 5.0  # seconds before a program that has ended is started again


def check_ray() -> None:
    """Say in a sentence where the library is missing or too old; it is not loaded."""
    try:
        found = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        raise ArenaError("Ray is not installed: `pip install 'arena[ray]'`, or start `arena host` by hand.") from None
    if tuple(int(part) for part in found.split(".")[:2]) < LEAST_RAY:
        raise ArenaError(f"Ray {found} has no token authentication: install 2.52 or later.")


def load_ray(environment: Mapping[str, str]) -> Any:
    """Return the library, with this environment: it reads where its token is while it is loaded, and never again."""
    check_environment(environment)
    check_ray()
    tell_library(environment)
    return importlib.import_module("ray")


def make_token(path: Path) -> None:
    """Make the cluster's token where there is none, readable by its owner alone from the first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))


def safe_environment(token_file: Path) -> dict[str, str]:
    """Return what Ray is told by its environment; SettingsError where the token can be read by others."""
    try:
        mode = token_file.stat().st_mode
    except OSError:
        raise SettingsError([
            f"{token_file} is not there: copy the token file of `arena cluster up` to this machine."
        ]) from None  # fmt: skip
    if mode & 0o077:
        raise SettingsError([f"{token_file} can be read by others: `chmod 600 {token_file}` first."])
    return {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token_file.resolve()), "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse a cluster without token authentication."""
    if environment.get("RAY_AUTH_MODE") != "token":
        words = "Ray would be joined without token authentication: whoever reaches its ports runs code here; "
        raise SettingsError([f"{words}start it by `arena cluster up`, or set RAY_AUTH_MODE=token."])


def check_address(address: str) -> None:
    """Refuse an address that the whole Internet may reach."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise SettingsError([f"{address!r} is no IP address: name this machine's own, as 10.0.0.5."]) from None
    if found.is_unspecified or not (found.is_private or found.is_loopback):
        raise SettingsError([f"Ray would listen on {address}: name an address of a private network, as 10.0.0.5."])


def start_command(address: str, *, port: int = 0, head: str = "", temp: Path | None = None) -> list[str]:
    """Return how Ray is started on a machine: as the head at a port, or to join the one at `head`."""
    check_address(address)
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats",
        "--node-ip-address", address, "--num-cpus", "0", "--include-log-monitor", "false",
    ]  # fmt: skip
    if head:
        command += ["--address", head]
    else:
        command += ["--head", "--port", str(port), "--include-dashboard", "false"]
    if temp is not None:
        command += ["--temp-dir", str(temp)]
    return command


class HostProgram:
    """Runs `arena host` on its machine and starts it again where it ends; ends it with itself.

    The token goes in by standard input, whose end is the program's end: whatever kills this process ends that too.
    """

    def __init__(self, options: Sequence[str], token: str, environment: Mapping[str, str]) -> None:
        self._command = [sys.executable, "-m", "arena", "host", "--token-file", "-", *options]
        self._token = token
        # Of Ray's own settings the program needs none, and its token least of all.
        kept = {name: value for name, value in own_environment().items() if not name.startswith("RAY_")}
        self._environment = {**kept, **environment}
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        threading.Thread(target=self._keep_running, name="host program", daemon=True).start()

    def _keep_running(self) -> None:
        while not self._stopped.is_set():
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                self._command, stdin=subprocess.PIPE, text=True, env=self._environment
            )
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.write(self._token + "\n")
                self._process.stdin.flush()
            self._process.wait()
            self._stopped.wait(_PAUSE)

    def pid(self) -> int:
        """Return the program's process id, 0 while there is none."""
        return 0 if self._process is None or self._process.poll() is not None else self._process.pid


class RayHosts:
    """Keeps one host program on every machine of a cluster that this process has joined."""

    def __init__(
        self,
        ray: Any,
        token_of: Callable[[str], str],
        options: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare; `token_of` makes a token for the host of a name, `options` are those of `arena host`."""
        check_environment(own_environment())
        self._ray = ray
        self._token_of = token_of
        self._options = list(options)
        self._environment = dict(environment or {})
        self._actors: dict[str, Any] = {}

    def tend(self) -> list[str]:
        """Give every machine that has come a host program, forget those that are gone; return the names that play."""
        alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
        for gone in set(self._actors) - alive:
            del self._actors[gone]
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        for node in sorted(alive - set(self._actors)):
            place = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
            actor = self._ray.remote(HostProgram).options(num_cpus=0, max_restarts=-1, scheduling_strategy=place)
            self._actors[node] = actor.remote(self._options, self._token_of(name_of(node)), self._environment)
            log.info("Machine %s of the cluster plays as host '%s'", node[:12], name_of(node))
        return sorted(name_of(node) for node in self._actors)

    def pids(self) -> dict[str, int]:
        """Return the process id of each host program on its own machine."""
        return {name_of(node): int(self._ray.get(actor.pid.remote())) for node, actor in self._actors.items()}

    def end(self) -> None:
        """End every host program."""
        for actor in self._actors.values():
            self._ray.kill(actor, no_restart=True)
        self._actors.clear()


def name_of(node: str) -> str:
    """Return the name that a machine of the cluster plays under."""
    return f"ray-{node[:12]}"
