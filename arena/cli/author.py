"""The author's inner loop: `new` begins a bot file, `try` plays it over made-up markets and says what it does."""

from __future__ import annotations

import json
import keyword
import re
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.early import RUNTIME, taken
from arena.cli.local import AsJson, read_source, show_violations
from arena.cli.output import complain, console, plural, print_json
from arena.errors import RefusedError

_SCHEMA, _STUB = "claims.schema.json", "arena_bot.pyi"
_TYPING = """from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from arena_bot import Ctx, Tick

"""
_MARKS = {"met": "✓", "not met": "✗", "cannot tell": "?"}
_START = '''"""{plain}: say here in a sentence what it does."""

from __future__ import annotations

from collections import deque
{typing}NAME = {name!r}
SYMBOLS = [{symbol!r}]

SYMBOL = {symbol!r}
PERIOD = 20  # ticks of the mean
CASH_SHARE = 0.1  # of the cash, spent each time

prices = deque(maxlen=PERIOD)


def init(ctx{ctx}):
    """Say hello."""
    ctx.log(f"{{NAME}} is ready")


def on_tick(ctx{ctx}, tick{tick}):
    """Buy above the mean when flat, sell all below it when long."""
    price = ctx.get_price(SYMBOL)
    if price is None:
        return
    prices.append(price)
    if len(prices) < PERIOD:
        return
    mean = sum(prices) / PERIOD
    position = ctx.get_position(SYMBOL)
    if price > mean and position == 0:
        ctx.submit_order(SYMBOL, "BUY", ctx.get_cash() * CASH_SHARE / price)
        ctx.log(f"BUY at {{price:.8g}}: above its mean {{mean:.8g}}")
    elif price < mean and position > 0:
        ctx.submit_order(SYMBOL, "SELL", position)
        ctx.log(f"SELL at {{price:.8g}}: below its mean {{mean:.8g}}")
'''


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("new")(new)
    app.command("try")(try_bot)


def new(
    name: Annotated[str, typer.Argument(help="The bot's name; the file is named after it.")],
    stub: Annotated[
        bool, typer.Option("--stub", help="Also write types of ctx and tick and the schema of claims, for an editor.")
    ] = False,
    symbol: Annotated[str, typer.Option(help="The symbol it trades.")] = "BTCUSDT",
    folder: Annotated[Path, typer.Option("--dir", help="Where the files go.")] = Path(),
) -> None:
    """Write a new bot file to begin from; it runs as it is."""
    from arena.core.text import NAME_LIMIT, clean_name

    shown = clean_name(name)
    if not shown or len(shown) > NAME_LIMIT:
        raise typer.BadParameter(f"A name has 1 to {NAME_LIMIT} characters.")
    path = folder / f"{_file_name(shown)}.py"
    if path.exists():
        raise typer.BadParameter(f"{path} is there already: choose another name, or remove it.")
    folder.mkdir(parents=True, exist_ok=True)
    typed = {"typing": _TYPING, "ctx": ": Ctx", "tick": ": Tick"} if stub else {"typing": "", "ctx": "", "tick": ""}
    # A name may hold quotes; the docstring is the one place where it stands as it is.
    plain = shown.replace("\\", "/").replace('"', "'")
    path.write_text(_START.format(name=shown, plain=plain, symbol=symbol, **typed), "utf-8")
    written = [path]
    if stub:
        written += write_stubs(folder)
    for each in written:
        console.print(f"{each} is written.")
    console.print(f"Next: arena check {path}; arena try {path}", style="dim")


def _file_name(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "bot"
    return f"bot_{plain}" if plain[0].isdigit() or keyword.iskeyword(plain) else plain


def write_stubs(folder: Path) -> list[Path]:
    """Write the types of ctx and tick, and the schema of claims; return the files."""
    from arena.submissions.behaviour.claims import claims_schema
    from arena.submissions.behaviour.stub import bot_stub

    stub, schema = folder / _STUB, folder / _SCHEMA
    stub.write_text(bot_stub(), "utf-8")
    schema.write_text(json.dumps(claims_schema(), indent=2) + "\n", "utf-8")
    return [stub, schema]


def try_bot(
    file: Annotated[Path, typer.Argument(help="A bot file; - is stdin.", show_default=False)],
    prompt: Annotated[
        str, typer.Option("--prompt", help="What it is to do, in words; the bot is checked against them.")
    ] = "",
    claims: Annotated[
        Path | None, typer.Option("--claims", help="A JSON file of claims; else CLAIMS in the bot file, if any.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Play a bot file over made-up markets, without a server, and say what it does and does not do."""
    from arena.submissions.behaviour.claims import claims_of_source, read_claims
    from arena.submissions.behaviour.suite import Facts, Subject, examine
    from sandbox.pool import Pool

    settings = config.load()
    source = read_source(file)
    told = (read_claims(_json_of(claims)) if claims is not None
            else claims_of_source(source.decode("utf-8-sig", "replace")))  # fmt: skip
    pool = Pool(RUNTIME, settings.limits, begun=taken(), tuned=settings.sandbox_tuning)
    pool.start()
    try:
        checked = pool.check(source)
        document: dict[str, Any] = {
            "file": str(file), "accepted": checked.accepted, "violations": list(checked.violations),
            "warnings": list(checked.warnings), "report": None,
        }  # fmt: skip
        if checked.accepted:
            from arena.runtime.contract import read_facts

            name, symbols = read_facts(checked.facts)
            subject = Subject(source.decode("utf-8-sig"), name, symbols, checked.program)
            facts = Facts({}, settings.tick_interval_seconds, settings.rules)
            report = examine(pool, subject, told[0], prompt, facts, told[1])
            document["report"] = report.as_dict()
    finally:
        pool.stop()
    if as_json:
        print_json(document)
    else:
        _show(document, source)
    if not checked.accepted:
        raise typer.Exit(3)


def _json_of(path: Path) -> object:
    try:
        return json.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise RefusedError(f"{path} is no JSON: write the claims as one JSON object.") from None


def _show(document: dict[str, Any], source: bytes) -> None:
    if document["report"] is None:
        console.print(f"{document['file']}: refused")
        show_violations(document["violations"], source)
        return
    show_report(document["file"], document["report"])
    for warning in document["warnings"]:
        complain(warning)


def show_report(name: str, report: dict[str, Any]) -> None:
    """Print what the behaviour suite has found of a bot."""
    unmet = sum(each["outcome"] == "not met" for each in report["findings"])
    verdict = "does what is expected of it" if not unmet else f"has {plural(unmet, 'finding')}"
    console.print(f"{name}: {verdict}")
    for each in report["findings"]:
        shown = [f"{key} {each[key]}" for key in ("tape", "tick", "line") if each[key] is not None]
        where = f"  [{', '.join(shown)}]" if shown and each["outcome"] == "not met" else ""
        console.print(f"  {_MARKS[each['outcome']]} {each['check']}: {each['message']}{where}")
        if each["outcome"] == "not met":
            values = ", ".join(f"{key} = {value}" for key, value in each["values"].items())
            for line in filter(None, (values, each["hint"])):
                console.print(f"      {line}", style="dim")
    for note in report["notes"]:
        complain(note)
    seconds = f"{report['cpu_seconds']:.2f} s of CPU"
    console.print(f"{plural(len(report['tapes']), 'tape')}, {seconds}.", style="dim")
