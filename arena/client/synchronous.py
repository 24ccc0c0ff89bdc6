"""The client for plain programs and notebooks.

Made from `asynchronous.py` by `make client`; change that one.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx2

from arena.client.documents import (
    BoardRow,
    BotDocument,
    CheckDocument,
    EquityRow,
    JobDocument,
    LogRow,
    OrderRow,
    SeasonDocument,
    SubmissionDocument,
    TradeRow,
)
from arena.client.exchange import (
    API,
    DEFAULT_URL,
    JOB_ENDS,
    PAGE,
    STREAM_TIMEOUT,
    SUBMISSION_ENDS,
    Event,
    backoff,
    document_of,
    headers_of,
    is_repeatable,
    pause_before_retry,
    quoted,
    raise_problem,
    told,
    unreachable,
)
from arena.client.table import Table
from arena.errors import ArenaError


class Arena:
    """A server: every method is a request to it.

    `token` is ARENA_TOKEN or a user's token. Requests that may be repeated are sent again up to `retries` times where
    the server is away or busy. Errors are `ApiError`, with the server's sentence, or `ServerUnreachableError`.
    """

    def __init__(self, url: str = DEFAULT_URL, token: str = "", *, timeout: float = 60.0, retries: int = 2) -> None:
        self.url = url.rstrip("/")
        self._retries = retries
        self._client = httpx2.Client(headers=headers_of(token), timeout=timeout, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # -- strategies

    def submit(
        self, prompt: str, *, name: str | None = None, author: str = "local", model: str | None = None,
        key: str | None = None,
    ) -> Submission:  # fmt: skip
        """Submit a strategy in plain words; with `key`, a key of your own, the same request is done once."""
        body = told({"prompt": prompt, "name": name, "author": author, "model": model})
        return Submission(self, self.write("POST", "/strategies", body, key))

    def submit_several(
        self, prompt: str, *, models: Sequence[str] = (), samples: int = 1, keep: Literal["one", "all"] = "one",
        name: str | None = None, author: str = "local", key: str | None = None,
    ) -> list[Submission]:  # fmt: skip
        """Submit a strategy to several models, or have several samples of it written."""
        body = told({
            "prompt": prompt, "name": name, "author": author, "models": list(models), "samples": samples, "keep": keep
        })  # fmt: skip
        made = self.write("POST", "/strategies", body, key)
        return [Submission(self, one) for one in made.get("items", [made])]

    def submission(self, submission_id: str) -> Submission:
        """Return a submission with every attempt."""
        return Submission(self, self.read(f"/strategies/{quoted(submission_id)}"))

    # -- bots

    def check(self, source: str, *, report: bool = True) -> CheckDocument:
        """Check a source without admitting it; with `report`, also try it on made-up markets."""
        given = {"report": str(report).lower()}
        answer = self.request("POST", "/bots/check", parameters=given, body={"source": source})
        return cast("CheckDocument", document_of(answer, self.url))

    def upload(self, source: str, *, author: str = "local") -> BotDocument:
        """Upload a handwritten bot; ApiRefusedError names the lines that break a rule."""
        return cast("BotDocument", self.write("POST", "/bots", {"source": source, "author": author}))

    def bots(self, *, name: str | None = None, season: int | None = None) -> Table[BoardRow]:
        """Return every bot of a season, the retired included."""
        return self._list("/bots", name=name, season=season)

    def bot(self, bot: str, *, season: int | None = None) -> BotDocument:
        """Return one bot, by id or by name."""
        return cast("BotDocument", self.read(self._bot(bot), season=season))

    def source(self, bot: str, *, season: int | None = None) -> str:
        """Return a bot's source."""
        answer = self.request("GET", self._bot(bot, "/source"), parameters={"season": season})
        return answer.text

    def pause(self, bot: str) -> BotDocument:
        """Stop asking a bot; it stays on the board."""
        return cast("BotDocument", self.write("POST", self._bot(bot, "/pause")))

    def resume(self, bot: str) -> BotDocument:
        """Ask a paused bot again."""
        return cast("BotDocument", self.write("POST", self._bot(bot, "/resume")))

    def retire(self, bot: str) -> None:
        """Retire a bot for good; its record stays."""
        self.write("DELETE", self._bot(bot))

    def revise(self, bot: str, words: str, *, author: str = "local", model: str | None = None) -> Submission:
        """Have a new version of a bot written."""
        body = told({"words": words, "author": author, "model": model})
        return Submission(self, self.write("POST", self._bot(bot, "/revise"), body))

    def lineage(self, bot: str, *, season: int | None = None) -> Table[dict[str, Any]]:
        """Return a bot's versions: who asked for each, by which words, and what changed."""
        return self._list(self._bot(bot, "/lineage"), season=season)

    def behaviour(self, bot: str, *, season: int | None = None) -> dict[str, Any]:
        """Return what a bot does on made-up markets."""
        return cast("dict[str, Any]", self.read(self._bot(bot, "/behaviour"), season=season))

    def statistics(self, bot: str, *, season: int | None = None) -> dict[str, Any]:
        """Return a bot's figures with formula and source, its trials, and what luck explains."""
        return cast("dict[str, Any]", self.read(self._bot(bot, "/statistics"), season=season))

    def trades(self, bot: str | None = None, *, limit: int | None = 100, season: int | None = None) -> Table[TradeRow]:
        """Return the newest fills of a bot, or of all; `limit=None` returns all there are."""
        path = "/trades" if bot is None else self._bot(bot, "/trades")
        return self._pages(path, limit, season=season)

    def orders(self, bot: str, *, limit: int | None = 100, season: int | None = None) -> Table[OrderRow]:
        """Return a bot's newest orders with status and reason; `limit=None` returns all there are."""
        return self._pages(self._bot(bot, "/orders"), limit, season=season)

    def logs(self, bot: str, *, limit: int | None = 200, season: int | None = None) -> Table[LogRow]:
        """Return a bot's newest log lines; `limit=None` returns all that are kept."""
        return self._pages(self._bot(bot, "/logs"), limit, season=season)

    def equity(
        self, bot: str, *, limit: int = 2000, since: float | None = None, until: float | None = None,
        season: int | None = None,
    ) -> Table[EquityRow]:  # fmt: skip
        """Return a bot's equity, oldest first, in at most `limit` points; times are Unix seconds."""
        path = self._bot(bot, "/equity")
        return self._list(path, limit=limit, since=since, until=until, season=season)

    def explain_trade(self, bot: str, trade: int, *, season: int | None = None) -> dict[str, Any]:
        """Explain a trade, by its id: line, conditions with their values, what it brought."""
        path = self._bot(bot, f"/trades/{trade}/explain")
        return cast("dict[str, Any]", self.read(path, season=season))

    def explain_tick(self, bot: str, tick: int, *, season: int | None = None) -> dict[str, Any]:
        """Explain what a bot did at a tick, or why it did not trade there."""
        path = self._bot(bot, f"/ticks/{tick}/explain")
        return cast("dict[str, Any]", self.read(path, season=season))

    def verify(self, bot: str, *, season: int | None = None) -> Job:
        """Have a bot's record proved by running it again."""
        path = self._bot(bot, "/verify")
        answer = self.request("POST", path, parameters={"season": season})
        return Job(self, document_of(answer, self.url))

    def robust(self, bot: str) -> Job:
        """Find out what is left of a bot's result under costs, delays and changes that should not matter."""
        return Job(self, self.write("POST", self._bot(bot, "/robust")))

    # -- the board and the market

    def leaderboard(
        self, *, sort: str = "rank", order: Literal["asc", "desc"] = "asc", limit: int | None = 100,
        season: int | None = None,
    ) -> Table[BoardRow]:  # fmt: skip
        """Return the board; `head` holds season, as_of and summary. Above 1,000 rows it may move between two pages."""
        return self._pages("/leaderboard", limit, sort=sort, order=order, season=season)

    def prices(self, *, season: int | None = None) -> dict[str, Any]:
        """Return the market at the last tick."""
        return cast("dict[str, Any]", self.read("/prices", season=season))

    def seasons(self) -> Table[SeasonDocument]:
        """Return all seasons, newest first."""
        return self._list("/seasons")

    def new_season(
        self, *, starts: str | None = None, ends: str | None = None, entry_deadline: str | None = None
    ) -> dict[str, Any]:
        """Close the season and open the next one, with the same bots and fresh accounts."""
        body = told({"starts": starts, "ends": ends, "entry_deadline": entry_deadline})
        return cast("dict[str, Any]", self.write("POST", "/seasons", body))

    def close_season(self) -> dict[str, Any]:
        """Close the season: no tick follows."""
        return cast("dict[str, Any]", self.write("POST", "/seasons/close"))

    def status(self) -> dict[str, Any]:
        """Return what was chosen and how everything is doing."""
        return cast("dict[str, Any]", self.read("/status"))

    def models(self, *, author: str | None = None) -> Table[dict[str, Any]]:
        """Return the models that write bots; `head` holds what is left of the budgets."""
        return self._list("/models", author=author)

    def me(self) -> dict[str, Any]:
        """Return who asks, with which scopes, and what is left of quotas and budgets."""
        return cast("dict[str, Any]", self.read("/me"))

    def events(self, *, after: str = "") -> Generator[Event, None, None]:
        """Yield ticks, trades, board changes, submissions and jobs as they come, without end.

        A broken connection is taken up again after the last event; an event `gap` says that some were lost.
        """
        return self.stream("/stream", after)

    # -- jobs and backtests

    def job(self, job_id: str) -> Job:
        """Return a job."""
        return Job(self, self.read(f"/jobs/{quoted(job_id)}"))

    def tapes(self) -> Table[dict[str, Any]]:
        """Return the market files that a backtest may be played over."""
        return self._list("/tapes")

    def backtest(
        self, bots: Sequence[str], tape: str, *, starting_cash: float | None = None, fee_bps: float | None = None,
        slippage_bps: float | None = None, interval: float | None = None, seed: int = 0,
        delay_ticks: int | None = None,
    ) -> Backtest:  # fmt: skip
        """Play bots of the season over a market file; rules that are not given are those of the season."""
        body = told({
            "bots": list(bots), "tape": tape, "starting_cash": starting_cash, "fee_bps": fee_bps,
            "slippage_bps": slippage_bps, "interval": interval, "seed": seed, "delay_ticks": delay_ticks,
        })  # fmt: skip
        made = self.write("POST", "/backtests", body)
        return Backtest(self, made["id"], made["job_id"])

    def tournament(
        self, bots: Sequence[str], *, tapes: Sequence[str] = (), tiers: Sequence[str] | None = None,
        rounds: int | None = None, ticks: int | None = None, seed: int = 0, interval: float | None = None,
        starting_cash: float | None = None, fee_bps: float | None = None, slippage_bps: float | None = None,
        delay_ticks: int | None = None,
    ) -> Tournament:  # fmt: skip
        """Rate two to eight bots of the season over many short rounds: parts of market files, and made-up windows.

        Tiers are those of `arena tournament`, such as calm or crash: all of them where none are given, none for [].
        """
        body = told({
            "bots": list(bots), "tapes": list(tapes), "tiers": None if tiers is None else list(tiers),
            "rounds": rounds, "ticks": ticks, "seed": seed, "interval": interval, "starting_cash": starting_cash,
            "fee_bps": fee_bps, "slippage_bps": slippage_bps, "delay_ticks": delay_ticks,
        })  # fmt: skip
        made = self.write("POST", "/tournaments", body)
        return Tournament(self, made["id"], made["job_id"])

    # -- webhooks

    def webhooks(self) -> Table[dict[str, Any]]:
        """Return your webhooks, and what became of their newest deliveries."""
        return self._list("/webhooks")

    def add_webhook(self, url: str, *, events: Sequence[str] = (), bot: str | None = None) -> dict[str, Any]:
        """Have events sent to an address; the answer shows the secret of its signatures this once."""
        body = told({"url": url, "events": list(events) or None, "bot": bot})
        return cast("dict[str, Any]", self.write("POST", "/webhooks", body))

    def test_webhook(self, webhook_id: str) -> dict[str, Any]:
        """Send an event `test` to a webhook at once and return what its receiver has answered."""
        return cast("dict[str, Any]", self.write("POST", f"/webhooks/{quoted(webhook_id)}/test"))

    def remove_webhook(self, webhook_id: str) -> None:
        """Send nothing more to a webhook."""
        self.write("DELETE", f"/webhooks/{quoted(webhook_id)}")

    # -- requests

    def request(
        self, method: str, path: str, *, parameters: dict[str, Any] | None = None, body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> httpx2.Response:  # fmt: skip
        """Send a request for a path below /api/v1 and return its answer, whatever kind it is; errors are raised."""
        given = headers or {}
        tries = 1 + (self._retries if is_repeatable(method, given) else 0)
        for attempt in range(1, tries + 1):
            try:
                answer = self._client.request(
                    method, f"{self.url}{API}{path}", params=told(parameters), json=body, headers=given
                )
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                if attempt == tries or not isinstance(error, httpx2.TransportError):
                    raise unreachable(self.url, error) from None
                pause = backoff(attempt)
            else:
                wished = pause_before_retry(answer, attempt)
                if wished is None or attempt == tries:
                    raise_problem(answer)
                    return answer
                pause = wished
            time.sleep(pause)
        raise AssertionError("the last try returns or raises")

    def read(self, path: str, **parameters: Any) -> Any:
        """Return the document at a path below /api/v1."""
        return document_of(self.request("GET", path, parameters=parameters), self.url)

    def write(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """Change something and return the document that the server answers with, None where it answers with none."""
        headers = {"Idempotency-Key": key} if key is not None else {}
        return document_of(self.request(method, path, body=body, headers=headers), self.url)

    def _list(self, path: str, **parameters: Any) -> Table[Any]:
        found = self.read(path, **parameters)
        return Table(found.pop("items"), found)

    def _pages(self, path: str, limit: int | None, **parameters: Any) -> Table[Any]:
        """Return the rows of as many pages as are needed; `head` is that of the first, with the last one's cursor."""
        rows: list[Any] = []
        head: dict[str, Any] = {}
        cursor = None
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(rows))
            found = self.read(path, **parameters, limit=size, cursor=cursor)
            page = found.pop("items")
            rows += page
            cursor = found["next_cursor"]
            head = {**(head or found), "next_cursor": cursor}
            if cursor is None or not page or (limit is not None and len(rows) >= limit):
                return Table(rows, head)

    def _bot(self, bot: str, what: str = "") -> str:
        """Return the path of a bot given by id or name; one with a slash is looked up, as no address can hold it."""
        if "/" in bot:
            bot = (self.bots(name=bot))[0]["bot_id"]
        return f"/bots/{quoted(bot)}{what}"

    def stream(self, path: str, after: str = "") -> Generator[Event, None, None]:
        """Yield the events of a stream; where it ends or breaks it is taken up again, `retries` times in a row."""
        failures = 0
        while True:
            headers = {"Last-Event-ID": after} if after else {}
            try:
                with self._client.stream(
                    "GET", f"{self.url}{API}{path}", headers=headers, timeout=STREAM_TIMEOUT
                ) as answer:
                    if answer.status_code != 200:
                        answer.read()
                        raise_problem(answer)
                    for sent in httpx2.EventSource(answer):
                        failures, after = 0, sent.id or after
                        yield Event(sent.event, sent.json(), sent.id)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                failures += 1
                if failures > self._retries:
                    raise unreachable(self.url, error) from None
            time.sleep(backoff(failures))


class Submission:
    """A strategy that was handed in; `document` is what the server said of it last."""

    def __init__(self, arena: Arena, document: SubmissionDocument) -> None:
        self._arena = arena
        self.document = document

    @property
    def id(self) -> str:
        """Return its id."""
        return self.document["id"]

    @property
    def status(self) -> str:
        """Return where it stands."""
        return self.document["status"]

    @property
    def ended(self) -> bool:
        """Say whether it stays as it is."""
        return self.status in SUBMISSION_ENDS

    @property
    def reason(self) -> str | None:
        """Return why it was not admitted."""
        return self.document["reason"]

    @property
    def bot_id(self) -> str | None:
        """Return its bot's id, once it is admitted."""
        return self.document["bot_id"]

    def refresh(self) -> Submission:
        """Ask the server anew."""
        self.document = self._arena.read(self._path)
        return self

    def wait(self, seconds: float | None = None) -> Submission:
        """Wait until it is admitted or not; TimeoutError after so many seconds."""
        end = None if seconds is None else time.monotonic() + seconds
        pause = 0.1
        while not self.ended:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"The submission is still {self.status} after {seconds:g} s.")
            time.sleep(pause)
            pause = min(1.0, pause * 1.3)
            self.refresh()
        return self

    def cancel(self) -> Submission:
        """Break it off."""
        self.document = self._arena.write("POST", f"{self._path}/cancel")
        return self

    def events(self) -> Generator[Event, None, None]:
        """Yield its states, and a model's answer as it is written, until it has ended."""
        for event in self._arena.stream(f"{self._path}/events"):
            if event.kind == "submission":
                self.document = event.data
            yield event
            if self.ended:
                return

    def question(self) -> dict[str, Any]:
        """Return what is asked about samples that differ."""
        return cast("dict[str, Any]", self._arena.read(f"{self._path}/question"))

    def answer(self, choice: int) -> dict[str, Any]:
        """Answer it: the bot of this choice goes on, the others are retired."""
        return cast("dict[str, Any]", self._arena.write("POST", f"{self._path}/answer", {"choice": choice}))

    def bot(self) -> BotDocument:
        """Return its bot; ArenaError says why there is none."""
        if self.bot_id is None:
            raise ArenaError(self.reason or f"The submission is {self.status}: it has no bot yet.")
        return self._arena.bot(self.bot_id)

    @property
    def _path(self) -> str:
        return f"/strategies/{quoted(self.id)}"


class Job:
    """Long work on the server; `document` is what the server said of it last."""

    def __init__(self, arena: Arena, document: JobDocument) -> None:
        self._arena = arena
        self.document = document

    @property
    def id(self) -> str:
        """Return its id."""
        return self.document["id"]

    @property
    def status(self) -> str:
        """Return where it stands."""
        return self.document["status"]

    @property
    def ended(self) -> bool:
        """Say whether it stays as it is."""
        return self.status in JOB_ENDS

    @property
    def result(self) -> dict[str, Any]:
        """Return what came out; ArenaError says why there is nothing."""
        found = self.document["result"]
        if found is None:
            raise ArenaError(self.document["reason"] or f"The job is {self.status}: it has no result.")
        return found

    def refresh(self) -> Job:
        """Ask the server anew."""
        self.document = self._arena.read(self._path)
        return self

    def wait(self, seconds: float | None = None) -> Job:
        """Wait until it has ended; TimeoutError after so many seconds."""
        end = None if seconds is None else time.monotonic() + seconds
        pause = 0.1
        while not self.ended:
            if end is not None and time.monotonic() >= end:
                raise TimeoutError(f"The job is still {self.status} after {seconds:g} s.")
            time.sleep(pause)
            pause = min(1.0, pause * 1.3)
            self.refresh()
        return self

    def cancel(self) -> Job:
        """Cancel it; one that has ended stays as it is."""
        self.document = self._arena.write("DELETE", self._path)
        return self

    def events(self) -> Generator[Event, None, None]:
        """Yield its progress as it changes, until it has ended."""
        for event in self._arena.stream(f"{self._path}/events"):
            self.document = event.data
            yield event
            if self.ended:
                return

    @property
    def _path(self) -> str:
        return f"/jobs/{quoted(self.id)}"


class Kept:
    """Long work whose result has an address; without a job it was done before."""

    _route = ""

    def __init__(self, arena: Arena, kept_id: str, job_id: str | None) -> None:
        self._arena = arena
        self.id = kept_id
        self.job_id = job_id

    def wait(self, seconds: float | None = None) -> dict[str, Any]:
        """Wait for its end and return what is kept: `report` is what the command of the same name prints by --json."""
        if self.job_id is not None:
            job = self._arena.job(self.job_id)
            job.wait(seconds)
            assert job.result  # raises where it has failed
        return cast("dict[str, Any]", self._arena.read(f"/{self._route}/{quoted(self.id)}"))


class Backtest(Kept):
    """A backtest that was asked for."""

    _route = "backtests"


class Tournament(Kept):
    """A tournament that was asked for."""

    _route = "tournaments"
