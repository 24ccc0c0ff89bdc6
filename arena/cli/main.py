"""Puts the commands together and turns errors into sentences and exit codes.

0 ok, 1 failure, 2 usage, 3 refused by validation, 4 not found, 5 auth, 6 server unreachable,
130 interrupted.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import Annotated, Any, NoReturn

import typer

from arena import __version__
from arena.cli import (
    author,
    behaviour,
    bots,
    cluster,
    data,
    evolve,
    fake_feed,
    farm,
    hosts,
    local,
    mcp,
    models,
    people,
    proof,
    record,
    remote,
    robust,
    runs,
    server,
    storage,
    tournament,
    trust,
    webhooks,
)
from arena.cli.help import arrange
from arena.cli.output import complain, console
from arena.errors import (
    ArenaError,
    AuthError,
    MarketDataError,
    NotFoundError,
    RefusedError,
    ServerUnreachableError,
    SettingsError,
)
from sandbox.errors import SandboxError

app = typer.Typer(
    name="arena",
    help="Say a trading strategy in plain words, and see how it does against everyone else's.",
    no_args_is_help=False,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        console.print(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    """Run the server when no command is given."""
    if context.invoked_subcommand is None:
        server.serve()


for part in (
    server, local, author, behaviour, models, people, record, proof, remote, robust, tournament, evolve, trust,
    fake_feed, mcp,
    hosts, cluster, farm,
):  # fmt: skip
    part.register(app)
app.add_typer(bots.app, name="bots")
app.add_typer(runs.app, name="runs")
app.add_typer(data.app, name="data")
local.db_app.command("backup")(storage.backup)
local.db_app.command("restore")(storage.restore)
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(local.db_app, name="db")
app.add_typer(local.config_app, name="config")
remote.season_app.command("report")(trust.season_report)
remote.season_app.command("archive")(storage.archive)
remote.season_app.command("export")(storage.export)
app.add_typer(remote.season_app, name="season")
arrange(app)


def main() -> NoReturn:
    """Run a command and exit with its code."""
    try:
        code = _run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has enough. Python would complain of it once more when it flushes at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    # The interpreter ends by looking for garbage among all that is left: with a long market 60 ms for nothing.
    gc.freeze()
    sys.exit(code)


def _run() -> int:
    console.stderr = False
    try:
        code = app(spread_data(sys.argv[1:]), standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except RefusedError as error:
        complain(str(error))
        code = 3
    except (ArenaError, SandboxError) as error:
        for line in str(error).splitlines():
            complain(line)
        code = _code_of(error)
        if code == 5:
            complain("Set ARENA_TOKEN.")
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(_words_of(error))
        code = 1
    except Exception as error:
        # typer's own usage errors, whose base class it does not export
        if not hasattr(error, "exit_code"):
            raise
        _show_usage(error)
        code = error.exit_code
    return code if isinstance(code, int) else 0


def _words_of(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


# typer's words for wrong values, and ours
_OURS = (
    ("Input should be a valid integer, unable to parse string as an integer", "a whole number is needed"),
    ("Input should be a valid number, unable to parse string as a number", "a number is needed"),
    ("Input should be ", "it should be "),
)


def _show_usage(error: Any) -> None:
    """Print what is wrong with the words of a command in one sentence, and where its help is."""
    message = error.format_message().removeprefix("Invalid value: ")
    for theirs, ours in _OURS:
        message = message.replace(theirs, ours)
    if not message:
        # A group of commands without one of them shows its help, which is on stdout already.
        error.show()
        return
    complain(message if message.endswith((".", "?", "!")) else f"{message}.")
    context = getattr(error, "ctx", None)
    if context is not None:
        complain(f"`{context.command_path} --help` says more.")


# Options that take several values, as if they stood before each.
_SEVERAL = {
    **dict.fromkeys(("backtest", "robust", "tournament"), ("--data",)),
    "evolve": ("--from", "--data", "--held-out"),
}


def spread_data(arguments: list[str]) -> list[str]:
    """Let `--data A B C` name several files, as if `--data` stood before each.

    A bot file (`*.py`) after the first one is a bot, wherever it stands; `arena evolve` names its bots by `--from`.
    """
    command = next(iter(arguments), "")
    several = _SEVERAL.get(command, ())
    spread, option, first = [], "", False
    for argument in arguments:
        if argument.startswith("-"):
            option, first = argument if argument in several else "", True
        elif option and not first and (command == "evolve" or not argument.endswith(".py")):
            spread.append(option)
        elif not first:
            option = ""
        else:
            first = False
        spread.append(argument)
    return spread


def _code_of(error: Exception) -> int:
    if isinstance(error, ServerUnreachableError):
        return 6
    if isinstance(error, SettingsError) or (isinstance(error, MarketDataError) and error.usage):
        return 2
    if isinstance(error, NotFoundError):
        return 4
    return 5 if isinstance(error, AuthError) else 1
