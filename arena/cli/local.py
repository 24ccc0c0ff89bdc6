"""Commands that need no server: check, backtest, doctor, db, config, version."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.cells import cell_len, set_cell_size

from arena import __version__, config
from arena.cli.early import RUNTIME, taken
from arena.cli.output import (
    cell,
    complain,
    console,
    errors,
    moment,
    plain,
    plural,
    print_json,
    print_table,
    source_text,
    stdout_too,
    write_json,
)
from arena.errors import NotFoundError

db_app = typer.Typer(help="The database: its schema, a copy of it, and the way back.", no_args_is_help=True)
config_app = typer.Typer(help="The settings.", no_args_is_help=True)

_SHOWN = 100  # places of a source's line
_PASSWORD = re.compile(r"(://[^/@\s\"]*?:)[^/@\s\"]+@")  # that of a URL

_MOST_READ = 1 << 20  # bytes of a bot file; the check refuses one that is longer
Files = Annotated[list[Path], typer.Argument(help="Bot files; - is stdin.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(backtest)
    app.command()(doctor)
    app.command()(version)


def read_source(path: Path) -> bytes:
    """Return the bytes of a bot file, or of stdin for `-`; a file that cannot be read is a wrong argument."""
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(_MOST_READ)
        with path.open("rb") as file:
            return file.read(_MOST_READ)
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None


def check(files: Files, as_json: AsJson = False) -> None:
    """Validate bot files without running them on a market."""
    from sandbox.pool import Pool

    settings = config.load()
    pool = Pool(RUNTIME, settings.limits, begun=taken(), tuned=settings.sandbox_tuning)
    sources = [(path, read_source(path)) for path in files]
    pool.start()
    try:
        checks = [(path, pool.check(source)) for path, source in sources]
    finally:
        pool.stop()
    document = [
        {"file": str(path), "accepted": found.accepted, "violations": list(found.violations)}
        | ({"warnings": list(found.warnings)} if found.warnings else {})
        for path, found in checks
    ]
    if as_json:
        print_json(document)
    else:
        _show_checks(document, [source for _, source in sources])
    if not all(item["accepted"] for item in document):
        raise typer.Exit(3)


def _show_checks(document: list[dict[str, Any]], sources: list[bytes]) -> None:
    for item, source in zip(document, sources, strict=True):
        console.print(f"{item['file']}: {'accepted' if item['accepted'] else 'refused'}", markup=False)
        show_violations(item["violations"], source)
        for warning in item.get("warnings", ()):
            console.print(f"  warning: {warning}", markup=False)


def show_violations(violations: Sequence[Mapping[str, Any]], source: bytes) -> None:
    """Print each violation with its line, a caret under its column, and what to do."""
    lines = source.decode("utf-8-sig", "replace").splitlines()
    for found in violations:
        where = f"{found['line']}:{found['column']}"
        console.print(f"  {where}  {found['message']} [{found['rule']}]", markup=False)
        for text in _pointed(lines, found["line"], found["column"]):
            console.print(f"         {text}", markup=False, soft_wrap=True)
        console.print(f"         {found['hint']}", markup=False, style="dim")


def _pointed(lines: Sequence[str], number: int, column: int) -> list[str]:
    """Return a line of a source and a caret under one column of it, both cut to where a terminal shows them."""
    if not 1 <= number <= len(lines) or not lines[number - 1].strip():
        return []
    line = lines[number - 1].replace("\t", " ")
    # As a terminal shows it: what cannot be seen is written out, which moves what stands behind it.
    before, rest = source_text(line[: column - 1])[:-1], source_text(line[column - 1 :])[:-1]
    while cell_len(before) > _SHOWN // 2:
        before = before[1:]
    before = before.lstrip()
    rest = set_cell_size(rest, min(cell_len(rest), _SHOWN - cell_len(before))).rstrip()
    return [f"| {before}{rest}", f"| {' ' * cell_len(before)}^"]


def backtest(
    bots: Annotated[list[Path], typer.Argument(help="Bot files.")],
    data: Annotated[
        list[str],
        typer.Option("--data", help="Market file, [SYMBOL=]PATH; several make one market."),
    ],
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the report here; - is stdout.")] = None,
    trades: Annotated[Path | None, typer.Option(help="Write the fills here (CSV).", callback=stdout_too)] = None,
    orders: Annotated[Path | None, typer.Option(help="Write the orders here (CSV).", callback=stdout_too)] = None,
    logs: Annotated[
        Path | None, typer.Option(help="Write the bots' logs here (JSON lines).", callback=stdout_too)
    ] = None,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="Send one tick at a time: no price to come is in a bot.")
    ] = False,
    interval: Annotated[float | None, typer.Option(help="Resample the market, seconds.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns that are not guessed right: time=ts,price=last,symbol=pair.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(help="Time zone of times that name none: America/New_York, +02:00.")
    ] = None,
    bar: Annotated[
        str | None,
        typer.Option(
            help="Length of bars, and whether their time is start or end: 5m, end or 5m,end; none: rows are no bars."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bots' chance.")] = 0,
    fee_bps: Annotated[float | None, typer.Option(help="Fee per fill, basis points; else FEE_BPS.")] = None,
    slippage_bps: Annotated[
        float | None, typer.Option(help="Slippage per fill, basis points; else SLIPPAGE_BPS.")
    ] = None,
    delay: Annotated[int | None, typer.Option(help="Ticks from an order to its fill; else DELAY_TICKS.")] = None,
    cash: Annotated[float | None, typer.Option(help="Cash each bot starts with; else STARTING_CASH.")] = None,
    db: Annotated[Path | None, typer.Option(help="Also write the tables into this SQLite file.")] = None,
    page: Annotated[
        Path | None, typer.Option("--report", help="Write one HTML page that opens offline: charts, trades, sources.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the run in RUNS_DIR; `arena runs` lists, shows and compares them.")
    ] = False,
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="Have machines that run `arena farm run` on the configured database help."),
    ] = False,
) -> None:
    """Play bots, each in its own locked process, over a recorded market."""
    settings = config.load(fee_bps=fee_bps, slippage_bps=slippage_bps, delay_ticks=delay, starting_cash=cash)
    candidates = [(path, read_source(path)) for path in bots]
    files = _Files(data, interval, columns, zone, bar)
    with _played(settings, candidates, files, seed, lockstep=lockstep, cluster=cluster) as (seconds, market, results):
        from arena.engine.backtest import report
        from arena.engine.backtest.run import ranked_results

        conduct = report.Conduct(data, settings.rules, interval, seed)
        found = report.document(results, market, seconds, conduct)
        if json_out is not None:
            write_json(json_out, found)
        if trades is not None:
            report.write_csv(trades, report.TRADE_COLUMNS, report.trade_rows(results))
        if orders is not None:
            report.write_csv(orders, report.ORDER_COLUMNS, report.order_rows(results))
        if logs is not None:
            report.write_jsonl(logs, report.log_rows(results))
        if db is not None:
            from arena.engine.backtest.archive import write_backtest

            write_backtest(db, market, results, settings.rules, seed)
        if page is not None or keep:
            played = _Played(found, results, market, candidates, seed, lockstep)
            _write_pages(page, Path(settings.runs_dir) if keep else None, played)
        _show_results(
            [report.bot_document(result, market) for result in ranked_results(results)], found, results, market
        )
    if any(result.status == "refused" for result in results):
        raise typer.Exit(3)


class _Played(NamedTuple):
    """A backtest that has been played."""

    found: dict[str, Any]
    results: Any
    market: Any
    bots: list[tuple[Path, bytes]]
    seed: int
    lockstep: bool


def _write_pages(page: Path | None, runs: Path | None, played: _Played) -> None:
    """Write the report that was asked for, and keep the run in a folder of runs."""
    from arena.engine.backtest import kept
    from arena.web.backtest_page import page_values, report_file, write_page

    found, sources = played.found, {str(path): source for path, source in played.bots}
    hashes = kept.file_hashes(found["files"])
    command = shlex.join(["arena", *sys.argv[1:]])
    values = page_values(found, played.results, played.market, sources, command, hashes)
    if page is not None:
        write_page(page, values)
        complain(f"The report is in {page}.")
    if runs is not None:
        mode = "lockstep" if played.lockstep else "run-ahead"
        name = kept.run_id([source for _, source in played.bots], hashes, found["rules"], played.seed, mode)
        head = kept.head_of(found, hashes, sources, command, by=kept.BY_COMMAND, name=name)
        place = kept.KeptRuns(runs).keep(head, values, report_file(values), played.results)
        complain(f"The run is kept as {name} in {place}; `arena runs show {name}` shows it.")


class _Files(NamedTuple):
    """The market files of a backtest, and how they are to be read."""

    data: list[str]
    interval: float | None
    columns: str | None
    zone: str | None = None
    bar: str | None = None


@contextlib.contextmanager
def _played(
    settings: config.Settings,
    bots: list[tuple[Path, bytes]],
    files: _Files,
    seed: int,
    *,
    lockstep: bool,
    cluster: bool,
) -> Iterator[tuple[float, Any, Any]]:
    """Play the bots; yield the seconds it took, the market, and the results, while the sandbox ends."""
    from concurrent.futures import ThreadPoolExecutor

    from sandbox.pool import Pool

    database = _farm_database(settings) if cluster else None
    pool = Pool(RUNTIME, settings.limits, begun=taken(), pages=lockstep, tuned=settings.sandbox_tuning)
    notes: list[str] = []
    with ThreadPoolExecutor(1) as reader:
        # The sandbox comes up in a process of its own; the file is read meanwhile.
        reading = reader.submit(_read_market, files, settings.tick_interval_seconds, notes)
        try:
            pool.start()
            from arena.engine.backtest.run import RUN_AHEAD, BotSource, check_candidates, play_entries

            entries = check_candidates(pool, [BotSource(str(path), source) for path, source in bots])
            market = reading.result()
            for note in notes:
                complain(note)
            started = time.monotonic()
            play = partial(play_entries, pool, pin=True) if database is None else _farm_plays(database, pool)
            with _progress(len(market) * len(entries)) as advance:
                results = play(
                    entries, market, settings.rules, seed=seed, run=1 if lockstep else RUN_AHEAD, progress=advance
                )
            seconds = time.monotonic() - started
            pool.hang_up()
            yield seconds, market, results
        finally:
            pool.stop()


def _farm_database(settings: config.Settings) -> Any:
    """Return the database that the farm's machines take work from."""
    from arena.store.database import open_database, upgrade

    if not settings.database_url and not Path(settings.db_path).is_file():
        words = f"There is no database {settings.db_path} that machines could take work from; name one by "
        raise NotFoundError(f"{words}DATABASE_URL or DB_PATH.")
    database = open_database(settings.url)
    upgrade(database)
    return database


def _farm_plays(database: Any, pool: Any) -> Any:
    """Return what plays bots on every machine of the farm, this one among them."""
    from arena.hosts.backtests import FarmPlays
    from arena.hosts.farm import Farm
    from arena.web.farm import works

    return FarmPlays(Farm(database, pool, works(), patience=0.0))


def _read_market(files: _Files, default_interval: float, notes: list[str]) -> Any:
    from arena.engine.backtest.market import read_market

    return read_market(files.data, files.interval, default_interval, notes.append, files.columns, files.zone, files.bar)


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None] | None]:
    """Show a bar where a person watches."""
    if not errors.is_terminal:
        yield None
        return
    from rich.progress import Progress

    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("ticks", total=total)
        yield lambda ticks: progress.advance(task, ticks)


def _show_results(rows: list[dict[str, Any]], found: dict[str, Any], results: Any, market: Any) -> None:
    for row in rows:
        metrics = row["metrics"] or {}
        row["bot"] = row["name"] or row["file"]
        row["return"] = metrics.get("return_pct")
        row["drawdown"] = metrics.get("max_drawdown_pct")
        row["sharpe"] = metrics.get("sharpe")
        row["mode"] = row["mode"] if row["metrics"] else ""
    columns = (
        ("bot", "BOT"), ("status", "STATUS"), ("equity", "EQUITY"), ("return", "RETURN %"),
        ("drawdown", "DRAWDOWN %"), ("cash", "CASH"), ("positions", "POSITIONS"),
        ("trades", "TRADES"), ("rejected", "REJECTED"), ("errors", "ERRORS"), ("sharpe", "SHARPE"), ("mode", "MODE"),
    )  # fmt: skip
    optional = ("return", "rejected", "errors", "cash", "drawdown", "mode", "sharpe", "positions")
    print_table(columns, rows, optional=optional)
    for row in rows:
        for broken in row["violations"]:
            where = f"{row['file']}:{broken['line']}:{broken['column']}"
            complain(f"{where}: {broken['message']} {broken['hint']}")
        if row["missing_symbols"]:
            missing, known = ", ".join(row["missing_symbols"]), ", ".join(found["symbols"])
            complain(f"{row['bot']} needs {missing}, for which this market has no prices (it has {known}).")
        if row["note"]:
            complain(f"{row['bot']}: {row['note']}")
    if len(results) == 1 and results[0].play is not None:
        _show_summary(results[0], market, found)
    for line in _footnotes(rows, found):
        console.print(line, style="dim", markup=False)
    console.print(f"{plural(found['ticks'], 'tick')} in {found['seconds']:.2f} s ({found['mode']})", style="dim")


def _show_summary(result: Any, market: Any, found: dict[str, Any]) -> None:
    """Print the figures of one bot, a line each, as users of backtesting libraries read them."""
    from arena.engine.backtest.summary import summary

    figures = summary(result.play, market, found["benchmark"]["return_pct"])
    low, high = figures["sharpe_low"], figures["sharpe_high"]
    interval = "" if low is None else f"  (95 % between {low:,.2f} and {high:,.2f})"
    lines = [
        ("Start", moment(figures["start"])), ("End", moment(figures["end"])), ("Ticks", f"{figures['ticks']:,}"),
        ("Exposure [%]", figures["exposure_pct"]), ("Equity final", figures["equity_final"]),
        ("Equity peak", figures["equity_peak"]), ("Return [%]", figures["return_pct"]),
        ("Buy and hold [%]", figures["buy_and_hold_pct"]),
        ("Sharpe", "needs 30 periods" if low is None else f"{figures['sharpe']:,.2f}{interval}"),
        ("Sortino", figures["sortino"]), ("Calmar", figures["calmar"]),
        ("Max drawdown [%]", figures["max_drawdown_pct"]), ("Max drawdown lasted [s]", figures["max_drawdown_seconds"]),
        ("Round trips", str(figures["round_trips"])), ("Win rate [%]", figures["win_rate_pct"]),
        ("Best trip [%]", figures["best_pct"]), ("Worst trip [%]", figures["worst_pct"]),
        ("Average holding [s]", figures["average_holding_seconds"]), ("Profit factor", figures["profit_factor"]),
        ("Expectancy", figures["expectancy"]), ("Fees", figures["fees"]),
    ]  # fmt: skip
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(f"{name:<{width}}  {value if isinstance(value, str) else cell(value)}", markup=False)


def _footnotes(rows: list[dict[str, Any]], found: dict[str, Any]) -> Iterator[str]:
    """Say what the figures stand beside: rules, benchmark, and how they are counted."""
    rules, hold = found["rules"], found["benchmark"]["return_pct"]
    yield (
        f"Cash {rules['starting_cash']:,.2f}, fee {rules['fee_bps']:g} bps, slippage {rules['slippage_bps']:g} bps, "
        f"orders fill {plural(rules['delay_ticks'], 'tick')} later, seed {found['seed']}."
        + ("" if hold is None else f" Buy and hold: {hold:+.2f} %.")
    )
    counted = {round(row["periods_a_year"]) for row in rows if row["sharpe"] is not None}
    for periods in sorted(counted):
        yield f"Sharpe is annualised by the {periods:,} periods a year that were observed."
    if found["mode"] != "lockstep":
        yield "Run-ahead: the prices to come were in the bots' processes; --lockstep plays without them."


def doctor(
    as_json: AsJson = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say which layer stops what.")] = False,
    models: Annotated[
        bool, typer.Option("--models", help="Only ask each configured model for one token, to see whether it answers.")
    ] = False,
) -> None:
    """Prove every layer of the sandbox on this host by trying the forbidden acts."""
    if models:
        from arena.cli.models import examine_models

        raise typer.Exit(0 if examine_models(as_json=as_json) else 1)
    from sandbox.doctor import examine

    found = examine(explain=explain)
    if as_json:
        print_json(found.as_dict())
    else:
        _show_doctor(found.as_dict(), explain=explain)
    raise typer.Exit({"A": 0, "B": 1}.get(found.level, 2))


def _show_doctor(found: dict[str, Any], *, explain: bool) -> None:
    columns = [
        ("act", "ACT"),
        ("unlocked", "UNLOCKED"),
        ("locked", "LOCKED"),
        ("verdict", "VERDICT"),
    ]
    if explain:
        columns.append(("layer", "STOPPED BY"))
    print_table(columns, found["acts"])
    console.print(f"\nIsolation level {found['level']}: {', '.join(found['layers'])}")
    for note in found["notes"]:
        complain(note)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database's schema up to date."""
    from arena.store.database import open_database, upgrade

    settings = config.load()
    upgrade(open_database(settings.url))
    console.print("The database is up to date.")


@config_app.command("show")
def config_show(as_json: AsJson = False) -> None:
    """Print the settings in force; secrets are masked."""
    settings = config.load()
    document = json.loads(_PASSWORD.sub(r"\1***@", settings.model_dump_json()))
    if as_json:
        print_json(document)
        return
    for name, value in document.items():
        console.print(f"{name.upper()} = {_setting(value)}", markup=False, soft_wrap=True)
    console.print("Configuration valid", style="green")


def _setting(value: Any) -> str:
    """Return a value as it is written in the environment or in .env."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return plain(value).replace(",", "")
    return json.dumps(value, ensure_ascii=False)


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    if as_json:
        print_json({"version": __version__})
    else:
        console.print(__version__)
