"""All settings, read once: flags, then environment, then .env, then arena.toml, then defaults.

Nothing below the command line reads the environment; values are passed down from here.
"""

from __future__ import annotations

import math
import os
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from arena.core.exchange import MAX_DELAY_TICKS, Rules
from arena.data_sources import KNOWN_SOURCES, DataSources
from arena.dates import read_length
from arena.errors import SettingsError
from sandbox.process.limits import Limits

ROOT = Path(__file__).resolve().parent.parent
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,59}")
_FEED_CHOICES = "use binance, alpaca, manifold, stockdata, ccxt:EXCHANGE, synthetic or replay:PATH"


class ModelSettings(BaseModel):
    """One model of `[models.NAME]`; prices are US dollars for a million tokens, 0 for a free one, unset if unknown.

    `context` is what it holds in tokens, 0 where unknown; `parameters` are sent with every request as they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field("", max_length=200)
    base_url: str = ""
    api_key_env: str = ""
    temperature: float | None = Field(0.2, ge=0, le=2)
    timeout_seconds: float = Field(120.0, gt=0)
    max_tokens: int = Field(8000, gt=0)
    max_tokens_limit: int = Field(32_000, gt=0)
    max_tokens_field: str = "max_tokens"
    context: int = Field(0, ge=0)
    stream: bool = True
    concurrency: int = Field(4, ge=1, le=64)
    price_in: float | None = Field(None, ge=0)
    price_out: float | None = Field(None, ge=0)
    parameters: dict[str, Any] = {}
    api_key: SecretStr = Field(
        SecretStr(""), exclude=True, description="Read from the variable that api_key_env names."
    )

    @field_validator("parameters")
    @classmethod
    def _own_fields(cls, value: dict[str, Any]) -> dict[str, Any]:
        own = sorted(set(value) & {"model", "messages", "stream", "stream_options", "temperature", "n"})
        if own:
            raise ValueError(f"{', '.join(own)} cannot stand in parameters: Arena sets it")
        return value


def environment() -> dict[str, str]:
    """Return this process's environment, for a program that it starts."""
    return dict(os.environ)


def tell_library(told: Mapping[str, str]) -> None:
    """Set variables for a library that can be told in no other way."""
    os.environ.update(told)


class Settings(BaseSettings):
    """Every setting of a server; names in capitals are those of the environment."""

    model_config = SettingsConfigDict(
        frozen=True,
        env_file=".env",
        toml_file="arena.toml",
        env_nested_delimiter="__",
        extra="ignore",
        hide_input_in_errors=True,
    )

    host: str = Field("127.0.0.1", description="Address to listen on; another one needs ARENA_TOKEN.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    starting_cash: float = Field(10_000.0, description="Cash each bot starts with.")
    tick_interval_seconds: float = Field(1.0, description="Seconds between two ticks.")
    fee_bps: float = Field(0.0, ge=0, le=1000, description="Fee per fill, basis points.")
    slippage_bps: float = Field(0.0, ge=0, le=1000, description="Slippage per fill, basis points.")
    delay_ticks: int = Field(
        1, ge=1, le=MAX_DELAY_TICKS, description="Ticks from an order to its fill; 1 is the next tick."
    )
    score_interval: float = Field(
        0.0, ge=0, description="Seconds of one period of returns; 0 means 5 minutes, or ten ticks or a bar if longer."
    )
    benchmark: str = Field(
        "equal weight", description="What bots are compared with: equal weight, cash, or buy and hold of a symbol."
    )
    season_length: str = Field(
        "", description="How long a season lasts: 7d, 12h, 90m; then the next one opens. Empty: until it is closed."
    )
    practice_url: str = Field("", description="Address of a practice server beside this one, linked from the board.")
    ranked_url: str = Field("", description="On a practice server: address of the ranked one, linked from the board.")
    db_path: str = Field("lab.db", description="SQLite file.")
    key_file: str = Field("arena.key", description="The server's Ed25519 key; made at the first start.")
    database_url: str = Field("", description="Database URL; overrides DB_PATH (PostgreSQL).")
    feed: str = Field(
        "", description=f"What is played: {_FEED_CHOICES.removeprefix('use ')}; empty means the enabled sources."
    )
    synthetic_seed: int | None = Field(
        None, description="Fixed seed of the synthetic market, which makes its seasons predictable; empty means random."
    )
    feed_wait_seconds: float = Field(6.0, gt=0, description="How long to wait for the live market at start.")
    stale_intervals: float = Field(
        3.0, gt=0, description="A live price is stale after this many of its feed's usual intervals without news."
    )
    replay_speed: float = Field(0.0, ge=0, description="Replay: times real time; 0 means as fast as it can.")
    record_dir: str = Field("", description="Folder for a raw recording of every live season; empty means none.")
    data_sources: DataSources = Field(DataSources(), description="The market data sources.")
    alpaca_api_key: SecretStr = Field(SecretStr(""), description="Alpaca key id.")
    alpaca_secret_key: SecretStr = Field(SecretStr(""), description="Alpaca secret key.")
    stockdata_api_key: SecretStr = Field(SecretStr(""), description="StockData.org token.")
    openai_api_key: SecretStr = Field(SecretStr(""), description="Key of the model server.")
    openai_base_url: str = Field("", description="Base URL of any OpenAI-compatible server.")
    openai_model: str = Field("", description="Model that writes bots; empty means the template provider.")
    openai_timeout_seconds: float = Field(
        120.0, gt=0, description="Time limit of one model call, its retries included."
    )
    openai_max_tokens: int = Field(8000, gt=0, description="Longest answer asked for.")
    openai_max_tokens_limit: int = Field(
        32_000, gt=0, description="Longest answer asked for again after one was cut off at its length."
    )
    openai_max_tokens_field: str = Field(
        "max_tokens", description="max_tokens, or max_completion_tokens for newer OpenAI models."
    )
    openai_concurrency: int = Field(2, ge=1, le=64, description="Calls of this model at once.")
    models: dict[str, ModelSettings] = Field({}, description="Models by name; the first one is the usual one.")
    budget_submission_tokens: int = Field(0, ge=0, description="Tokens a submission may use; 0 means any number.")
    budget_author_tokens: int = Field(0, ge=0, description="Tokens an author may use on a UTC day; 0: any number.")
    budget_day_tokens: int = Field(0, ge=0, description="Tokens of all on a UTC day; 0 means any number.")
    budget_submission_usd: float = Field(0.0, ge=0, description="Dollars a submission may cost; 0 means any sum.")
    budget_author_usd: float = Field(0.0, ge=0, description="Dollars an author may cost on a UTC day; 0: any sum.")
    budget_day_usd: float = Field(0.0, ge=0, description="Dollars that all may cost on a UTC day; 0: any sum.")
    max_queue: int = Field(500, gt=0, description="Strategies that may wait at once; half of them of one author.")
    hosts_listen: str = Field("", description="Where other machines that play bots connect: ADDRESS:PORT; empty: none.")
    hosts_certificate: str = Field("", description="TLS certificate file of HOSTS_LISTEN.")
    hosts_key: str = Field("", description="TLS key file of HOSTS_LISTEN, where the certificate's file lacks it.")
    arena_token: SecretStr = Field(SecretStr(""), description="Token that guards every write.")
    accounts: bool = Field(False, description="Whether users have accounts: on or off.")
    reads: Literal["public", "members"] = Field("public", description="Who may read: public, or members alone.")
    bots_per_user: int = Field(20, ge=0, description="Bots a user may run at once, with accounts; 0: any number.")
    submissions_per_day: int = Field(
        100, ge=0, description="Strategies and uploads of a user on a UTC day, with accounts; 0: any number."
    )
    tapes_per_day: int = Field(
        50, ge=0, description="Market files a user may upload on a UTC day, with accounts; 0: any number."
    )
    backtests_per_day: int = Field(
        200, ge=0,
        description="Backtests and checks of robustness of a user on a UTC day, with accounts; 0: any number.",
    )  # fmt: skip
    requests_per_minute: int = Field(
        0, ge=0, description="Requests a minute of a user, or of an address without one; 0 means any number."
    )
    streams_per_address: int = Field(100, ge=1, le=400, description="Live streams an address may have open at once.")
    webhooks_private: bool = Field(
        False, description="Whether webhooks may reach addresses of private networks and of this machine: on or off."
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        [], description="Host names accepted beside loopback, separated by commas."
    )
    bots_dir: str = Field("bots", description="Drop-in folder of bots.")
    data_dir: str = Field("data", description="Folder of the market files that backtests on the page may choose from.")
    runs_dir: str = Field("runs", description="Folder of the backtests and tournaments that are kept.")
    max_bots: int = Field(2000, gt=0, description="Most bots that may run at once.")
    trial_ticks: int = Field(300, gt=0, description="Ticks of the trial run before admission.")
    question_minutes: float = Field(
        60.0, ge=0, description="Minutes after which an unanswered question about samples is decided; 0 means never."
    )
    max_repairs: int = Field(2, ge=0, description="Repairs a model may try; then it is asked afresh once.")
    max_fills_per_day: int = Field(
        20_000, ge=0, description="Fills a bot may have on a UTC day; orders beyond are rejected. 0 means any number."
    )
    max_log_mb_per_day: int = Field(
        16, gt=0, description="MiB of log a bot may write on a UTC day; lines beyond are counted."
    )
    retention_equity_days: int = Field(
        0, ge=0, description="Days of equity kept row by row; older rows go to Parquet files. 0 keeps all."
    )
    retention_log_kb: int = Field(1024, ge=16, description="KiB of log that are kept of each bot, the newest.")
    min_free_disk: int = Field(
        200 * 1024 * 1024, ge=0, description="Bytes that must stay free; below, the clock stops."
    )
    snapshot_minutes: float = Field(
        10.0, ge=0, description="Minutes between two snapshots of a bot's memory, for a quick restart; 0 means none."
    )
    snapshot_max_kb: int = Field(
        1024, gt=0, le=65_536, description="Largest snapshot, KiB compressed; a larger memory is rebuilt by replay."
    )
    reverify_hours: float = Field(
        0.0, ge=0, description="Hours after which every bot's record is proved again; 0 means never by itself."
    )
    farm: bool = Field(
        False, description="Whether proofs, backtests and trial runs go to the machines that run `arena farm run`."
    )
    sandbox_uid_base: int = Field(20_000, gt=0, description="First user id for workers (as root).")
    sandbox_tuning: bool = Field(True, description="Whether the sandbox saves memory and time with its own tricks.")
    tick_cpu_soft: float = Field(0.1, gt=0, description="CPU seconds a bot may use in a tick.")
    tick_cpu_hard: float = Field(1.0, gt=0, description="CPU seconds after which it is killed.")
    bot_memory_mb: int = Field(256, gt=0, description="Memory allowance of a bot, MiB.")
    bots_memory_mb: int = Field(
        0, ge=0, description="Memory of all bots together, MiB; 0 means three quarters of the machine's."
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: Literal["text", "json"] = Field(
        "text", description="How log lines are written: text for people, json for programs, without the dashboard."
    )

    @field_validator("synthetic_seed", mode="before")
    @classmethod
    def _no_seed(cls, value: Any) -> Any:
        return None if value == "" else value

    @model_validator(mode="after")
    def _read_model_keys(self) -> Settings:
        """Fill each model's key from the environment, or from .env, where its variable stands there."""
        wanted = {model.api_key_env for model in self.models.values() if model.api_key_env}
        if wanted:
            told = dotenv_values(".env")
            for name, model in self.models.items():
                key = os.environ.get(model.api_key_env) or told.get(model.api_key_env) or ""
                self.models[name] = model.model_copy(update={"api_key": SecretStr(key)})
        return self

    @field_validator("log_format", mode="before")
    @classmethod
    def _small_letters(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: Any) -> Any:
        if isinstance(value, str):
            return [host.strip() for host in value.split(",") if host.strip()]
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put arena.toml behind .env."""
        del file_secret_settings
        toml = TomlConfigSettingsSource(settings_cls)
        return init_settings, env_settings, dotenv_settings, toml

    @field_validator("hosts_listen")
    @classmethod
    def _address_and_port(cls, value: str) -> str:
        address, _, port = value.rpartition(":")
        if value and not (address and port.isascii() and port.isdigit() and int(port) < 65_536):
            raise ValueError("it should be ADDRESS:PORT, as 127.0.0.1:8800, or empty")
        return value

    @property
    def hosts_address(self) -> tuple[str, int]:
        """Return where hosts connect."""
        address, _, port = self.hosts_listen.rpartition(":")
        return address.strip("[]"), int(port)

    @property
    def rules(self) -> Rules:
        """Return the money rules."""
        return Rules(self.starting_cash, self.fee_bps, self.slippage_bps, delay_ticks=self.delay_ticks)

    @property
    def season_rules(self) -> Rules:
        """Return the money rules and what keeps one bot from filling the disk, which a backtest need not."""
        return replace(self.rules, fills_a_day=self.max_fills_per_day)

    @property
    def limits(self) -> Limits:
        """Return the workers' limits."""
        return Limits(
            tick_cpu_soft=self.tick_cpu_soft,
            tick_cpu_hard=self.tick_cpu_hard,
            memory_bytes=self.bot_memory_mb * 1024 * 1024,
            snapshot_bytes=self.snapshot_max_kb * 1024,
            uid_base=self.sandbox_uid_base,
        )

    @property
    def url(self) -> str:
        """Return the database URL."""
        if self.database_url:
            url = self.database_url
            for prefix in ("postgresql://", "postgres://"):
                if url.startswith(prefix):
                    url = "postgresql+psycopg://" + url.removeprefix(prefix)
            return url
        return f"sqlite:///{self.db_path}"

    @property
    def market_symbols(self) -> list[str]:
        """Return the symbols of all enabled sources, in order, without repeats."""
        return list(dict.fromkeys(s for found in self.data_sources.enabled().values() for s in found))

    @property
    def secrets(self) -> list[str]:
        """Return what no log line may show: keys, tokens, and the database's password."""
        own = [getattr(self, name) for name in type(self).model_fields]
        keys = [*own, *(model.api_key for model in self.models.values())]
        found = [key.get_secret_value() for key in keys if isinstance(key, SecretStr)]
        password = urlsplit(self.database_url).password if self.database_url else None
        return [one for one in (*found, password, unquote(password) if password else None) if one]

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach the server."""
        return self.host in {"127.0.0.1", "localhost", "::1"}

    def problems(self) -> list[str]:
        """Return what is wrong with these settings, one sentence each."""
        found = [
            *self._number_problems(), *self._model_problems(), *self._source_problems(), *self._feed_problems()
        ]  # fmt: skip
        guarded = self.accounts or bool(self.arena_token.get_secret_value())
        if not self.is_loopback and not guarded:
            found.append(
                f"HOST={self.host} is open to others: set ARENA_TOKEN, which then guards every write, or ACCOUNTS=on."
            )
        if self.reads == "members" and not guarded:
            found.append("READS=members needs somebody to be a member: set ACCOUNTS=on or ARENA_TOKEN.")
        return found

    def _number_problems(self) -> list[str]:
        found = []
        if not 0 < self.tick_interval_seconds < math.inf:
            found.append("TICK_INTERVAL_SECONDS must be greater than 0.")
        if not 0 < self.starting_cash < math.inf:
            found.append("STARTING_CASH must be greater than 0.")
        if self.season_length:
            try:
                read_length(self.season_length)
            except ValueError as error:
                found.append(f"SEASON_LENGTH: {error}")
        for name, address in (("PRACTICE_URL", self.practice_url), ("RANKED_URL", self.ranked_url)):
            if address and not _is_web_address(address):
                found.append(f"{name}={address} is no address of a page: write it as http://HOST:PORT/.")
        if self.practice_url and self.ranked_url:
            found.append("A server is the ranked one or the practice one: set PRACTICE_URL or RANKED_URL, not both.")
        if self.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            found.append("LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR.")
        return found

    def _model_problems(self) -> list[str]:
        found = []
        for name, model in self.models.items():
            where = f"models.{name}"
            if not _MODEL_NAME.fullmatch(name) or name == "template":
                found.append(
                    f"{where}: a model's name is 1 to 60 letters, digits and . _ - : / characters, and not template."
                )
            if not model.model:
                found.append(f"{where}: set model, the name by which its server knows it.")
            if model.api_key_env and not model.api_key.get_secret_value():
                found.append(f"{where}: the environment has no {model.api_key_env}, which should hold its key.")
            if (model.price_in is None) != (model.price_out is None):
                found.append(f"{where}: set both price_in and price_out, or neither.")
            if model.context and model.context <= 2 * model.max_tokens and model.context < 4096:
                found.append(f"{where}: a context of {model.context} tokens is too small to write a bot.")
        dollars = (self.budget_submission_usd, self.budget_author_usd, self.budget_day_usd)
        if any(dollars):
            found += [
                f"models.{name}: set price_in and price_out, since a budget in dollars is set."
                for name, model in self.models.items()
                if model.price_in is None and model.price_out is None
            ]
            if self.openai_base_url or (self.openai_model and self.openai_model not in self.models):
                found.append("A budget in dollars needs prices: name the model in [models.NAME] of arena.toml.")
        return found

    def _source_problems(self) -> list[str]:
        found = []
        enabled = self.data_sources.enabled()
        keyed = {
            "alpaca": ("ALPACA_API_KEY and ALPACA_SECRET_KEY",
                       (self.alpaca_api_key, self.alpaca_secret_key)),
            "stockdata": ("STOCKDATA_API_KEY", (self.stockdata_api_key,)),
        }  # fmt: skip
        for name, (setting, values) in keyed.items():
            wanted = "is enabled" if name in enabled else "is the FEED"
            if (name in enabled or name in self.feeds) and not all(value.get_secret_value() for value in values):
                found.append(f"{name} {wanted}; set {setting}.")
        if not enabled and not self.feed:
            found.append("No data source is enabled: enable one in DATA_SOURCES or set FEED.")
        found += [
            f"{name} is enabled but lists no {'markets' if name == 'manifold' else 'symbols'}."
            for name, symbols in enabled.items() if not symbols
        ]  # fmt: skip
        found += [
            f"{name} is the FEED but lists no {'markets' if name == 'manifold' else 'symbols'}."
            for name in KNOWN_SOURCES
            if name not in enabled and name in self.venues and not self.data_sources.symbols_of(name)
        ]
        return found

    def _feed_problems(self) -> list[str]:
        chosen = self.feeds
        if len(chosen) == 1 and chosen[0].startswith("replay:"):
            missing = [p for p in self.replay_files if not Path(p.rpartition("=")[2]).is_file()]
            return [f"FEED: there is no file {path}." for path in missing]
        if "synthetic" in chosen and len(chosen) > 1:
            return ["FEED: synthetic makes a market of its own and cannot be mixed with others."]
        found = []
        for name in chosen:
            venue, _, exchange = name.partition(":")
            if name == "synthetic" or (venue in KNOWN_SOURCES and (venue == "ccxt") == bool(exchange)):
                continue
            hint = "ccxt needs an exchange, as in ccxt:kraken" if name == "ccxt" else _FEED_CHOICES
            found.append(f"FEED: '{name}' is not a feed; {hint}.")
        return found

    @property
    def feeds(self) -> list[str]:
        """Return the chosen feeds: FEED if it is set, else all enabled sources."""
        if self.feed.startswith("replay:"):
            return [self.feed]
        if self.feed:
            return [name.strip() for name in self.feed.split(",") if name.strip()]
        ccxt = f"ccxt:{self.data_sources.ccxt.exchange}"
        return [ccxt if name == "ccxt" else name for name in self.data_sources.enabled()]

    @property
    def venues(self) -> list[str]:
        """Return the names in DATA_SOURCES of the chosen feeds."""
        return [name.partition(":")[0] for name in self.feeds]

    @property
    def replay_files(self) -> list[str]:
        """Return the market files of FEED=replay:A,B as [SYMBOL=]PATH."""
        return [part for part in self.feed.removeprefix("replay:").split(",") if part]


def load(**flags: Any) -> Settings:
    """Read all settings; SettingsError lists every problem in one sentence each."""
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise SettingsError([_sentence(item) for item in error.errors()]) from None
    except (ValueError, OSError) as error:
        raise SettingsError([f"Settings cannot be read: {error}"]) from None
    problems = settings.problems()
    if problems:
        raise SettingsError(problems)
    return settings


def _is_web_address(text: str) -> bool:
    """Say whether a text is an absolute address of http or https."""
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _sentence(item: Any) -> str:
    where = "__".join(str(part) for part in item["loc"]).upper()
    return f"{where}: {item['msg'].removeprefix('Value error, ')}."


def take_service_manager() -> tuple[str, float]:
    """Return where systemd listens, "" for nowhere, and the seconds of its watchdog, 0 for none (sd_notify(3)).

    Both are taken out of the environment: what the server starts must not speak for it.
    """
    address = os.environ.pop("NOTIFY_SOCKET", "")
    every, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
    mine = not pid or pid == str(os.getpid())
    return address, int(every) / 1e6 if every.isascii() and every.isdigit() and mine else 0.0


def client_defaults() -> tuple[str, str]:
    """Return the server URL and token for commands that talk to a running server.

    ARENA_URL wins; else the server's own HOST and PORT, where every address means this machine.
    """
    url = os.environ.get("ARENA_URL", "")
    try:
        settings = Settings()
    except (ValidationError, ValueError):
        return url or "http://127.0.0.1:8000", os.environ.get("ARENA_TOKEN", "")
    host = "127.0.0.1" if settings.host in {"0.0.0.0", "::"} else settings.host  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    return url or f"http://{shown}:{settings.port}", settings.arena_token.get_secret_value()
