"""A tournament as a table of CSV and as one page that opens offline."""

from __future__ import annotations

import csv
import html
import io
from pathlib import Path
from typing import Any

from arena.core.text import csv_cell
from arena.trust.tournament import COLUMNS

Row = dict[str, Any]


def table_csv(found: Row) -> str:
    """Return the table with a column a regime and band, in percent."""
    bands = list(dict.fromkeys(band for row in found["table"] for band in row["bands"]))
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*COLUMNS, *found["regimes"], *bands])
    for row in found["table"]:
        values = [row[name] for name in COLUMNS]
        values += [row["regimes"].get(name) for name in found["regimes"]]
        values += [row["bands"].get(name) for name in bands]
        writer.writerow([csv_cell(value) for value in values])
    return written.getvalue()


def _cell(value: Any) -> str:
    text = "" if value is None else f"{value:,.2f}" if isinstance(value, float) else str(value)
    return f"<td>{html.escape(text)}</td>"


def write_page(path: Path, found: Row) -> None:
    """Write the page as a file that opens offline."""
    path.write_text(page_text(found), encoding="utf-8")


def page_text(found: Row) -> str:
    """Return the page: what it means, the table, the regimes, every round, and the formulas."""
    names = {row["file"]: row["name"] for row in found["table"]}
    regimes, bands = found["regimes"], list(dict.fromkeys(b for row in found["table"] for b in row["bands"]))
    table = "".join(f"<tr>{''.join(_cell(row[name]) for name in COLUMNS)}</tr>" for row in found["table"])
    by_regime = "".join(
        f"<tr>{_cell(row['name'])}{''.join(_cell(row['regimes'].get(name)) for name in regimes)}"
        f"{''.join(_cell(row['bands'].get(name)) for name in bands)}</tr>"
        for row in found["table"]
    )
    rounds = "".join(
        f"<tr>{_cell(number)}{_cell(each['market'])}{''.join(_cell(value) for value in each['returns_pct'])}</tr>"
        for number, each in enumerate(found["rounds"], 1)
    )
    formulas = "".join(f"<dt>{name}</dt><dd>{html.escape(text)}</dd>" for name, text in found["formulas"].items())

    def heads(words: Any) -> str:
        return "".join(f'<th scope="col">{html.escape(str(word))}</th>' for word in words)

    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Tournament</title>'
        "<style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;max-width:80rem}table{border-collapse:collapse}"
        "td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ccc}</style>"
        f"<h1>Tournament of {len(found['bots'])} bots, {len(found['rounds'])} rounds</h1>"
        f"<p>{html.escape(found['words'])}</p>"
        f"<table><thead><tr>{heads(COLUMNS)}</tr></thead><tbody>{table}</tbody></table>"
        f"<h2>Mean return by regime, %</h2><table><thead><tr>{heads(['bot', *regimes, *bands])}</tr></thead>"
        f"<tbody>{by_regime}</tbody></table>"
        f"<h2>Rounds, return %</h2><table><thead><tr>{heads(['#', 'market', *(names[f] for f in found['bots'])])}</tr>"
        f"</thead><tbody>{rounds}</tbody></table><h2>Formulas</h2><dl>{formulas}</dl></html>\n"
    )
