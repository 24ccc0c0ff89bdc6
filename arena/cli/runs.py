"""`arena runs`: the backtests that were kept, listed, shown, and compared with one another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from arena import config
from arena.cli.output import cell, complain, console, moment, plain, plural, print_json, print_table

app = typer.Typer(help="The backtests that were kept by --keep.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--dir", help="Folder of the runs; else RUNS_DIR.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Run = Annotated[str, typer.Argument(help="Id of a run, or its first characters.")]

_HEADINGS = {
    "equity": "EQUITY", "return_pct": "RETURN %", "max_drawdown_pct": "DRAWDOWN %", "sharpe": "SHARPE",
    "trades": "TRADES", "rejected": "REJECTED", "errors": "ERRORS", "fees": "FEES",
}  # fmt: skip
_OPTIONAL = ("return_pct", "fees", "errors", "rejected", "sharpe")


def _kept(folder: Path | None) -> Any:
    from arena.engine.backtest.kept import KeptRuns

    return KeptRuns(folder or Path(config.load().runs_dir))


@app.command("list")
def list_runs(folder: Folder = None, as_json: AsJson = False) -> None:
    """List the kept backtests, newest first."""
    from arena.engine.backtest.kept import title

    heads = _kept(folder).heads()
    if as_json:
        print_json({"items": [_short(head) for head in heads]})
        return
    rows = []
    for head in heads:
        report = head["report"]
        played = [bot for bot in report["bots"] if bot["equity"] is not None]
        best = max(played, key=lambda bot: bot["equity"], default=None)
        rows.append({
            "id": head["id"], "created_at": head["created_at"], "bots": _few([title(bot) for bot in report["bots"]]),
            "ticks": report["ticks"], "market": [Path(spec).name for spec in head["markets"]],
            "return_pct": best and best["metrics"]["return_pct"], "hold": report["benchmark"]["return_pct"],
        })  # fmt: skip
    columns = (
        ("id", "RUN"), ("created_at", "KEPT AT"), ("bots", "BOTS"), ("market", "MARKET"), ("ticks", "TICKS"),
        ("return_pct", "BEST %"), ("hold", "HOLD %"),
    )  # fmt: skip
    print_table(columns, rows, optional=("return_pct", "hold", "market", "ticks"))


def _few(names: list[str]) -> list[str]:
    """Return the names where they fit into a line of a table, else the first two and how many more."""
    return names if len(names) <= 3 else [*names[:2], f"{len(names) - 2} more"]


def _short(head: dict[str, Any]) -> dict[str, Any]:
    return {
        **{name: head[name] for name in ("id", "created_at", "by", "version", "command", "markets")},
        "ticks": head["report"]["ticks"], "bots": [bot["name"] or bot["file"] for bot in head["report"]["bots"]],
    }  # fmt: skip


@app.command()
def show(run: Run, folder: Folder = None, as_json: AsJson = False) -> None:
    """Show one kept backtest: how it was made, and the figures of each bot."""
    from arena.engine.backtest.kept import figures, title

    runs = _kept(folder)
    head = runs.head(run)
    if as_json:
        print_json(head)
        return
    report = head["report"]
    span, hold = report["span"], report["benchmark"]["return_pct"]
    lines = [
        ("Run", head["id"]), ("Kept at", moment(head["created_at"])), ("Arena", head["version"]),
        ("Command", head["command"] or "on the page"),
        ("Market", f"{cell(report['ticks'])} ticks of {', '.join(report['symbols'])}"),
        ("From", moment(span["first"]) if span else "-"), ("To", moment(span["last"]) if span else "-"),
        ("Rules", _rules(report)),
        ("Buy and hold", "-" if hold is None else f"{hold:+.2f} %"),
        *((f"File {Path(spec).name}", f"SHA-256 {digest}" if digest else "no single file")
          for spec, digest in head["markets"].items()),
        ("Report", str(runs.folder / head["id"] / "report.html")),
    ]  # fmt: skip
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(f"{name:<{width}}  {value}", markup=False, soft_wrap=True)
    rows = [{"bot": title(bot), "status": bot["status"], **figures(bot)} for bot in report["bots"]]
    print_table((("bot", "BOT"), ("status", "STATUS"), *_HEADINGS.items()), rows, optional=_OPTIONAL)


def _rules(report: dict[str, Any]) -> str:
    rules = report["rules"]
    return (
        f"cash {rules['starting_cash']:,.2f}, fee {rules['fee_bps']:g} bps, slippage {rules['slippage_bps']:g} bps, "
        f"orders fill {plural(rules.get('delay_ticks', 1), 'tick')} later, seed {report['seed']}, {report['mode']}"
    )


@app.command()
def compare(
    runs: Annotated[list[str], typer.Argument(help="Two or more ids of runs, or their first characters.")],
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Compare kept backtests: what they differ in, and each bot's figures in each of them."""
    from arena.engine.backtest.kept import compare as compared

    if len(runs) < 2:
        raise typer.BadParameter("name two runs or more; `arena runs list` shows them.")
    found = _kept(folder)
    heads = [found.head(run) for run in runs]
    document = compared(heads)
    if as_json:
        print_json(document)
        return
    _show_differences(document)
    rows = []
    for bot in document["bots"]:
        for run, values in zip(document["runs"], bot["figures"], strict=True):
            rows.append({"bot": bot["bot"], "run": run, **(values or {})})
        if len(heads) == 2 and all(bot["figures"]):
            first, second = bot["figures"]
            rows.append({"bot": "", "run": "difference", **_difference(first, second)})
        if not bot["same_program"]:
            complain(f"{bot['bot']} is another program in these runs.")
    print_table((("bot", "BOT"), ("run", "RUN"), *_HEADINGS.items()), rows, optional=_OPTIONAL)


def _difference(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {name: None if first[name] is None or second[name] is None else second[name] - first[name] for name in first}


def _show_differences(document: dict[str, Any]) -> None:
    if not document["same_market"]:
        complain("The runs were played on different market files: their returns do not compare.")
    for difference in document["differences"]:
        if difference["what"] != "market files":
            console.print(f"{difference['what']}: {_arrow(difference['values'])}", markup=False)
    if not document["differences"]:
        console.print("Same market, same rules.", markup=False)


def _arrow(values: Sequence[Any]) -> str:
    return " → ".join(plain(value) if isinstance(value, float) else cell(value) for value in values)
