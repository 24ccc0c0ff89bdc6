"""What board, bot page and reads cost does not grow with the season's age: no query of theirs reads a growing table on.

Shown by the plan of every query that a request makes, not by time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine as Database
from sqlalchemy import event

from arena.store.bulk import insert_rows
from arena.store.database import open_database
from arena.store.models import EquityRow, LogRow, OrderRow, Tick, Trade

GROWING = ("tick_rows", "equity_rows", "trades", "orders", "logs", "bot_ticks", "score_points", "equity_rollups")
"""Tables that have more rows with every tick."""
