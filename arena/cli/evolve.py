"""`arena evolve`: children of bots, chosen on train tapes, with the curve that shows where overfitting begins."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from arena import config
from arena.cli.early import RUNTIME, taken
from arena.cli.local import read_source
from arena.cli.output import complain, console, errors, print_table, write_json
from arena.core.lineage import lineage_of, with_lineage
from arena.errors import GenerationError, SettingsError

if TYPE_CHECKING:
    from arena.core.exchange import Rules
    from arena.engine.backtest.market import RecordedMarket
    from arena.llm.models import Model
    from arena.submissions.evolution.budget import Budget
    from arena.submissions.evolution.evolve import Evolution
    from arena.submissions.evolution.folder import Folder
    from arena.submissions.evolution.trial import Tapes

SIDES = ("train", "held_out")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evolve")(evolve)


def evolve(
    parents: Annotated[list[Path], typer.Option("--from", help="Bot files to begin from.")],
    data: Annotated[list[str], typer.Option("--data", help="A tape, [SYMBOL=]PATH; each is a market of its own.")],
    rounds: Annotated[int, typer.Option(min=1, max=10_000, help="Rounds in all, those played before included.")],
    budget: Annotated[str | None, typer.Option(help="What models may cost: 5usd or 200000tokens.")] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Model to write children; several take turns; template: none.")
    ] = None,
    children: Annotated[int, typer.Option(min=1, max=100, help="Children a round.")] = 4,
    out: Annotated[Path, typer.Option("--out", help="Folder of the evolution; it goes on where it was.")] = Path(
        "evolution"
    ),
    held_out: Annotated[
        list[str] | None, typer.Option("--held-out", help="Tapes for the curve only; else the later part of each tape.")
    ] = None,
    train_share: Annotated[float, typer.Option(min=0.1, max=0.9, help="Part of each tape to choose by.")] = 0.6,
    interval: Annotated[float | None, typer.Option(help="Resample the tapes, seconds.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the parents and the bots' chance.")] = 0,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the result here; - is stdout.")] = None,
    page: Annotated[Path | None, typer.Option("--report", help="Write one HTML page that opens offline.")] = None,
    fee_bps: Annotated[float | None, typer.Option(help="Fee per fill, basis points; else FEE_BPS.")] = None,
    slippage_bps: Annotated[float | None, typer.Option(help="Slippage, basis points; else SLIPPAGE_BPS.")] = None,
    delay: Annotated[int | None, typer.Option(help="Ticks from an order to its fill; else DELAY_TICKS.")] = None,
) -> None:
    """Breed bots: children of the best of each kind, chosen on train tapes; held-out tapes show overfitting."""
    from arena.submissions.evolution.evolve import Evolution, Plan, check_budget
    from arena.submissions.evolution.folder import Folder
    from arena.submissions.evolution.trial import Bench, split_tapes
    from arena.submissions.prompt_text import SeasonFacts
    from sandbox.pool import Pool

    settings = config.load(fee_bps=fee_bps, slippage_bps=slippage_bps, delay_ticks=delay)
    starters = [(str(path), _text(path)) for path in parents]
    models, limit = _models(settings, model), _budget(budget)
    try:
        check_budget(models, limit)
    except GenerationError as error:
        raise SettingsError([str(error)]) from None
    writers = _writers(models)
    complain(writers)
    default = settings.tick_interval_seconds
    tapes = split_tapes(_read(data, interval, default), _read(held_out or [], interval, default), train_share)
    rules, market = settings.rules, tapes.train[0][1]
    conduct = {
        "parents": [_digest(source.encode()) for _, source in starters], **_digests(tapes), "rules": _conduct_of(rules),
        "seed": seed, "children": children,
    }  # fmt: skip
    facts = SeasonFacts(
        tapes.symbols,
        market.interval or default,
        rules.starting_cash,
        rules.fee_bps,
        settings.limits.tick_cpu_soft,
        rules.delay_ticks,
    )
    with Folder(out, conduct) as folder:
        pool = Pool(RUNTIME, settings.limits, begun=taken(), tuned=settings.sandbox_tuning)
        pool.start()
        interrupted, evolution = False, None
        try:
            bench = Bench(pool, tapes, rules, seed)
            evolution = Evolution(folder, bench, facts, Plan(rounds, children, models, limit, seed))
            with _progress() as told:
                evolution.run(starters, told)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            pool.stop()
        if evolution is not None:
            _tell(evolution, folder, writers, json_out, page)
    if interrupted:
        complain(f"Interrupted; what was tried is in {out}, and the same command goes on from there.")
        raise typer.Exit(130)


def _conduct_of(rules: Rules) -> list[float]:
    """Return the rules as a folder keeps them; without the usual delay, so that folders of before it go on."""
    *others, delay = rules.parts
    return others if delay == 1 else [*others, delay]


def _text(path: Path) -> str:
    try:
        return read_source(path).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{path} is no text in UTF-8.") from None


def _budget(words: str | None) -> Budget | None:
    from arena.submissions.evolution.budget import read_budget

    try:
        return read_budget(words) if words is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _models(settings: config.Settings, names: list[str] | None) -> tuple[Model, ...]:
    """Return who writes: the models that are named, else the usual one, nobody where none is configured."""
    from arena.llm.models import TEMPLATE, models_of

    known = models_of(settings)
    chosen = names or [known.default]
    if TEMPLATE in chosen and len(set(chosen)) > 1:
        raise typer.BadParameter("Name models, or template alone.")
    return tuple(known.find(name) for name in dict.fromkeys(chosen) if name != TEMPLATE)


def _writers(models: tuple[Model, ...]) -> str:
    if models:
        return f"Children are written by {', '.join(model.name for model in models)}."
    return "No model writes: children are parents with other numbers, and now and then a bot of the rule-based writer."


def _read(specs: list[str], interval: float | None, default: float) -> list[tuple[str, RecordedMarket]]:
    from arena.engine.backtest.market import read_market

    return [(Path(spec.rpartition("=")[2]).name, read_market([spec], interval, default, complain)) for spec in specs]


def _digests(tapes: Tapes) -> dict[str, list[str]]:
    return {
        side: [_digest(repr(market.symbols).encode() + market.rows.tobytes()) for _, market in found]
        for side, found in (("train", tapes.train), ("held_out", tapes.held_out))
    }


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _progress() -> Any:
    """Show a bar where a person watches."""
    if not errors.is_terminal:
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=errors, transient=True) as progress:
        task = progress.add_task("children", total=1.0)
        yield lambda share: progress.update(task, completed=share)


def _tell(evolution: Evolution, folder: Folder, writers: str, json_out: Path | None, page: Path | None) -> None:
    """Write the result, the page, and the best bot of each kind; print the archive and what the curve says."""
    from arena.submissions.evolution.curve import document, tried_children
    from arena.web.evolution_page import write_evolution

    found = {**document(folder.children, evolution.spent(), evolution.stopped), "writers": writers}
    (folder.path / "result.json").write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    best = folder.path / "best"
    best.mkdir(exist_ok=True)
    sources = {line["n"]: line["source"] for line in folder.children}
    kept = {f"{row['n']:04}.py": sources[row["n"]] for row in found["archive"]}
    parents = {f"{line['n']:04}.py": line["parent"] for line in folder.children}
    for old in best.glob("[0-9]*.py"):
        if old.name not in kept:
            old.unlink()
    before: dict[str, int] = {}
    for line in folder.children:
        if line["parent"] is None:
            before |= lineage_of(line["source"])
    tried = tried_children(folder.children)
    for name, source in kept.items():
        # It tells wherever it is handed in how many it was chosen from; the first bots are told of as they are.
        child = with_lineage(source, folder.run, tried, before) if parents[name] is not None else source
        (best / name).write_text(child, "utf-8")
    if json_out is not None:
        write_json(json_out, found)
    if page is not None:
        write_evolution(page, found)
        complain(f"The report is in {page}.")
    if json_out is None or str(json_out) != "-":
        show(found)
        console.print(
            f"The best bot of each kind is in {best}, by its number.", markup=False, soft_wrap=True, style="dim"
        )


def _with_sharpes(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with its Sharpe ratios as text: those of one period are small, and need a third decimal."""
    sharpes = {f"{side}_sharpe": row[f"{side}_sharpe"] for side in SIDES}
    return {**row, **{name: "-" if value is None else f"{value:.3f}" for name, value in sharpes.items()}}


def show(found: dict[str, Any]) -> None:
    """Print the archive, the curve where the best bot changes, and what it means."""
    rows = [
        {**row, "kind": ", ".join(row["kind"]), "trades": row["train"]["trades"],
         **{f"{side} return_pct": row[side]["return_pct"] for side in SIDES},
         **_with_sharpes({f"{side}_sharpe": row[side]["sharpe"] for side in SIDES})}
        for row in found["archive"]
    ]  # fmt: skip
    figures = (
        ("train_sharpe", "TRAIN SHARPE"), ("held_out_sharpe", "HELD-OUT SHARPE"), ("train return_pct", "TRAIN %"),
        ("held_out return_pct", "HELD-OUT %"), ("trades", "TRADES"),
    )  # fmt: skip
    print_table((("n", "#"), ("name", "BOT"), ("kind", "KIND"), *figures), rows, optional=("trades", "name"))
    curve = found["curve"]
    turns = [
        _with_sharpes(point) for place, point in enumerate(curve)
        if place == len(curve) - 1 or place == 0 or point["best"] != curve[place - 1]["best"]
    ]  # fmt: skip
    print_table(
        (("k", "TRIALS"), ("spent_tokens", "TOKENS"), ("spent_usd", "USD"), ("best", "BEST"),
         ("train_dsr", "TRAIN DSR"), ("held_out_dsr", "HELD-OUT DSR"), ("train_sharpe", "TRAIN SHARPE"),
         ("held_out_sharpe", "HELD-OUT SHARPE")),
        turns, title="Where the best bot by the train tapes changes", optional=("spent_usd", "spent_tokens"),
    )  # fmt: skip
    console.print(found["words"], markup=False, soft_wrap=True)
    if found["stopped"]:
        console.print(found["stopped"], markup=False, soft_wrap=True)
