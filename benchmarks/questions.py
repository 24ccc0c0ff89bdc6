"""The questions of docs/performance.md in their order, and the goals of each."""

from __future__ import annotations

from benchmarks.goals import Goal, Question, Table


def _several(bots: int) -> Goal:
    row = f"many/bots={bots}"
    return Goal(
        f"{bots} bots x 20,000 ticks, against two pinned plain loops at once", f"{row}/ratio", "x", 0.70,
        "{} against {} bot-ticks/s", (f"{row}/arena_bot_ticks_s", f"{row}/two_loops_bot_ticks_s"),
    )  # fmt: skip


def _peer(name: str, peer: str, bound: float) -> Goal:
    row = f"engines/{peer}"
    return Goal(
        f"against {name}, whole process", f"{row}/arena_is_whole_times", "x", bound,
        "{} against {} events/s; {}x in the run alone",
        ("engines/arena/whole_events_per_second", f"{row}/whole_events_per_second", f"{row}/arena_is_run_times"),
    )  # fmt: skip


def _live(bots: int, what: str, key: str, bound: float) -> Goal:
    row = f"bots={bots}"
    return Goal(
        f"{bots:,} bots: {what}", f"{row}/{key}", " ms", bound,
        "bare pipe barrier: p50 {} ms, p99 {} ms; ours takes {} times the bare one at p50",
        (f"{row}/bare_ms_p50", f"{row}/bare_ms_p99", f"{row}/barrier_over_bare_p50"), at_most=True,
    )  # fmt: skip


def _bulk(name: str, database: str, kind: str, words: str) -> Goal:
    row = f"figures/{database}/{kind}"
    return Goal(
        f"20,000 {words} in bulk on {name}, against `session.add_all`", f"{row}/ratio", "x", 20,
        "{} ms against {} ms", (f"{row}/ours_ms", f"{row}/session_ms"),
    )  # fmt: skip


def _guarded(bot: str, bound: float | None = 1.10) -> Goal:
    row = f"bots/{bot}"
    return Goal(
        f"`on_tick` under the wall, {bot}", f"{row}/ratio", "x", bound,
        "{} µs against {} µs a tick", (f"{row}/wall_us_per_tick", f"{row}/plain_us_per_tick"), at_most=True,
    )  # fmt: skip


REPLAY = Question(
    "replay", "How fast is a backtest?",
    "The bot runs in a locked process of its own, behind the language wall, and every fill is computed by the arena. "
    "The baseline has none of that: a fresh Python process that reads the same file with the same loader and plays "
    "the bot and a full ledger in one plain loop. 1x would mean that isolation is free. The bot asks `ctx` for all it "
    "wants; a worker makes no `tick` for a bot whose code never looks at it, and the plain loop always does. So the "
    "same bot stands here once more with its price taken from `tick`.",
    (
        Goal("one bot, 500,000 ticks, whole `arena backtest` process (hoped for: 0.9x)", "one/whole_ratio", "x", 0.60,
             "{} s against {} s", ("one/arena_process_s", "one/plain_process_s")),
        Goal("the same, run phase alone", "one/run_ratio", "x", None,
             "{} against {} ticks/s", ("one/arena_run_ticks_s", "one/plain_loop_ticks_s")),
        Goal("a bot that looks at its `tick`, whole process", "looking/whole_ratio", "x", 0.60,
             "{} s against {} s; {}x in the run phase alone",
             ("looking/arena_process_s", "looking/plain_process_s", "looking/run_ratio")),
        *(_several(bots) for bots in (2, 10, 100)),
    ),
)  # fmt: skip

PEERS = Question(
    "peers", "How does that compare with other engines?",
    "The same one-minute bars from the same CSV, the same strategy (moving averages of 10 and 30 closes, long or flat, "
    "orders fill at the next bar), each engine as a fresh process in an environment of its own, and as its makers "
    "would have it run: averages computed beforehand where the library can, charts, logs and statistics off where "
    "they can be. The peers know about order types and commissions that the "
    "arena does not have; the arena isolates the bot, which no peer does.",
    (
        _peer("backtesting.py", "backtesting", 3), _peer("nautilus_trader", "nautilus_trader", 12),
        _peer("backtrader", "backtrader", 50),
        Goal("most fills by which an engine differs from ours on the same bars", "fills_apart", "", 0,
             "{} fills of ours", ("engines/arena/fills",), at_most=True),
    ),
    (Table("Medians; events are bars, and the run leaves out start-up, imports and, where the engine lets it be told "
           "apart, reading the file. The slowest engine plays fewer bars, so its start weighs more in its own "
           "figure.", "engines", (
        ("Engine", ""), ("Version", "version"), ("Bars", "bars"), ("Fills", "fills"), ("Process, s", "whole_s"),
        ("fastest to slowest", "whole_s_range"), ("Events/s, process", "whole_events_per_second"),
        ("Events/s, run", "run_events_per_second"))),),
)  # fmt: skip

LOCKSTEP = Question(
    "lockstep", "What does it cost never to show a bot the future?",
    "Lockstep sends one tick at a time, so that no future price is ever inside the bot's process. Each tick is then a "
    "round trip between two processes, here over a page of memory that they share. The bots play one after the other, "
    "each with what it needs in the caches of its CPU. Beside it stand the same round trips over pipes with children "
    "that do nothing: a ping-pong with one, a barrier with many at a time.",
    (
        Goal("one bot, against the plain loop (hoped for: 0.4x)", "one/of_plain", "x", 0.08,
             "{} against {} ticks/s; a bare ping-pong makes {}",
             ("one/lockstep_bot_ticks_s", "one/plain_bot_ticks_s", "one/bare_bot_ticks_s")),
        Goal("100 bots, against the bare pipe barrier", "many/of_bare", "x", 0.85,
             "{} against {} bot-ticks/s", ("many/lockstep_bot_ticks_s", "many/bare_bot_ticks_s")),
    ),
)  # fmt: skip

LIVE = Question(
    "live", "How many bots can play live?",
    "A live season as the server runs it: a beat a second, every bot asked at once with one deadline, every tick "
    "recorded in SQLite. The barrier is the time until the last bot has answered; the tick adds settling, marking "
    "and recording. The bare barrier, between the beats, is as many forked children that only echo. What gives first "
    "when there are more is descriptors: a bot takes two, so that a limit of 20,000 ends at about 9,700 bots; next is "
    "memory, of which 10,000 would take 20 GiB, and then the beat itself, which the ticks of so many nearly fill.",
    (
        _live(1000, "barrier p99", "barrier_ms_p99", 60), _live(1000, "tick p99", "tick_ms_p99", 300),
        Goal("1,000 bots: memory that each takes from the machine", "bots=1000/mem_available_kib_per_bot", " MiB", 2.0,
             "{} KiB private to a worker, {} KiB of the kernel's",
             ("bots=1000/private_kib_per_bot", "bots=1000/kernel_kib_per_bot"), at_most=True, scale=1 / 1024),
        _live(2000, "barrier p99", "barrier_ms_p99", 100),
    ),
    (Table("", "", (
        ("Bots", "bots"), ("Ticks", "ticks"), ("Barrier p50, ms", "barrier_ms_p50"), ("p99", "barrier_ms_p99"),
        ("Tick p50, ms", "tick_ms_p50"), ("p99", "tick_ms_p99"), ("Honest bots that missed a tick",
         "honest_bots_that_missed_a_tick"))),),
)  # fmt: skip

OFFENDERS = Question(
    "offenders", "Do bad bots slow the good ones?",
    "The same season with offenders among the bots: a third of them slow, a third dead, a third in an endless loop. "
    "The barrier counts the honest bots only.",
    (
        Goal("1,000 bots, 5 % of them bad: barrier p99 of the honest, against the beats before",
             "bots=1000/p99_over_clean", "x", 1.5, "{} ms against {} ms; {} offenders; bare pipe barrier p99 {} ms",
             ("bots=1000/barrier_ms_p99", "bots=1000/clean_ms_p99", "bots=1000/offenders", "bots=1000/bare_ms_p99"),
             at_most=True),
        Goal("honest bots that missed a tick", "bots=1000/honest_bots_that_missed_a_tick", "", 0, at_most=True),
    ),
)  # fmt: skip

READERS = Question(
    "readers", "Is the board quick while the bots play?",
    "The real server with 1,000 locked bots at a beat a second. Another process asks for the whole board on a fixed "
    "schedule; an answer's time counts from the moment its question was due.",
    (
        Goal("1,000 rows, 200 requests/s: p99", "read_ms_p99", " ms", 50,
             "p50 {} ms; the bots' tick meanwhile: p50 {} ms, without readers {} ms",
             ("read_ms_p50", "tick_ms_p50", "alone_ms_p50"), at_most=True),
        Goal("beats missed meanwhile", "missed_beats", "", 0, at_most=True),
    ),
)  # fmt: skip

START = Question(
    "start", "How long until a new bot plays?",
    "From the posted source to the first tick that the bot has answered: checked, stored, started in a locked "
    "process, loaded, asked. The trial run before admission is apart: its length is a setting and not a cost of the "
    "way.",
    (
        Goal("posted over HTTP, p50", "http_apart_ms_p50", " ms", 10,
             "{} ms with a trial run of one tick, {} ms without HTTP; a bare fork {} ms",
             ("http_ms_p50", "direct_ms_p50", "bare_fork_ms_p50"), at_most=True),
        Goal("posted over HTTP, p99", "http_apart_ms_p99", " ms", 20,
             "{} ms with a trial run of one tick, {} ms without HTTP", ("http_ms_p99", "direct_ms_p99"), at_most=True),
    ),
)  # fmt: skip

SEASON = Question(
    "season", "How quickly is a recording played as a season?",
    "Eight shipped bots over one recording that waits for nothing, all of it recorded in SQLite. What ranks "
    "strangers is played in lockstep: each bot answers a block of ticks in turn, one tick at a time over the page "
    "that its worker shares with the engine, which settles and records them afterwards. Several ticks are one "
    "transaction, and the board is made four times a second at most. The engine polls while a bot computes, so the "
    "time of its thread holds that of the bots, which the last row says; the rest is the way over the page, "
    "settling and recording. Where `--before` names another tree of Arena, both were played in turn, in the same "
    "run.",
    (
        Goal("8 bots, everything recorded", "now/ticks_s", " ticks/s", 10_000,
             "{} ticks/s before; {} ticks, measured on {}", ("before/ticks_s", "ticks", "machine")),
        Goal("CPU time of the engine's thread, a tick", "now/engine_us_a_tick", " µs", None,
             "{} µs before", ("before/engine_us_a_tick",)),
        Goal("what the eight bots compute themselves, a tick", "bots_us_a_tick", " µs", None,
             "the same ticks in run-ahead"),
    ),
)  # fmt: skip

MONTH = Question(
    "month", "Does a season of a month cost more than one of an hour?",
    "A season is made whose bots really played, a server is started on it, ended and started again. Beside the whole "
    "age stand shares of it, one season each, on the same machine one after the other.",
    (
        Goal("start to the first board, at the whole age", "whole/first_board_s", " s", 2, at_most=True),
        Goal("start to the first tick, at the whole age", "whole/first_tick_s", " s", 5, at_most=True),
        Goal("first board, the slowest age over the fastest", "first_board_s_over_least", "x", 1.2, at_most=True),
        Goal("first tick, the slowest age over the fastest", "first_tick_s_over_least", "x", 1.2, at_most=True),
        Goal("all bots back, the slowest age over the fastest", "all_back_s_over_least", "x", 1.2,
             "with snapshots; without any, at the whole age {} s", ("whole/all_back_without_s",), at_most=True),
        Goal("proof of one record", "whole/verify_ticks_a_second", " ticks/s", 200_000),
    ),
    (Table("Seconds after the start of the server.", "ages",
           (("Age", "age"), ("Ticks", "ticks"), ("Bots", "bots"), ("First board", "first_board_s"),
            ("First tick", "first_tick_s"), ("All bots back", "all_back_s"),
            ("All bots back without snapshots", "all_back_without_s"),
            ("Bot-ticks/s on the way back", "bot_ticks_a_second_back"), ("Proof, ticks/s", "verify_ticks_a_second"),
            ("Bytes a bot-tick", "bytes_a_bot_tick"))),),
)  # fmt: skip

SNAPSHOTS = Question(
    "snapshots", "Does a live tick notice that bots' memories are saved?",
    "One season in one process; ticks with and without saving take turns in blocks.",
    (
        Goal("p99 of the barrier with saving, of without", "p99_with_over_without", "x", 1.1,
             "{} ms with, {} ms without", ("barrier_ms_p99_with", "barrier_ms_p99_without"), at_most=True),
        Goal("a snapshot of a bot, p50", "snapshot_bytes_p50", " bytes", None,
             "saved in {} ms, restored in {} ms", ("save_ms_p50", "restore_ms_p50")),
    ),
)  # fmt: skip

STORAGE = Question(
    "storage", "How large does a season grow, and what does reading it cost?",
    "Rows as the recorder writes them, beside the layout of before; curves and exports of a bot at three "
    "ages, in CPU time.",
    (
        Goal("a tick of two symbols, SQLite", "bytes_a_row/sqlite/now/tick", " bytes", None,
             "before {}", ("bytes_a_row/sqlite/before/tick",)),
        Goal("an equity row with its roll-ups, SQLite", "bytes_a_row/sqlite/now/equity row", " bytes", None,
             "before {}", ("bytes_a_row/sqlite/before/equity row",)),
        Goal("a curve at the whole age, CPU", "whole/curve_cpu_ms", " ms", 50, at_most=True),
    ),
    (Table("", "ages", (
        ("Age", "age"), ("Rows a bot", "rows_a_bot"), ("Curve, ms", "curve_cpu_ms"), ("Items", "items"),
        ("CSV, rows a CPU second", "csv_rows_a_cpu_second"), ("Parquet", "parquet_rows_a_cpu_second"),
        ("File, MB", "file_mb"))),),
)  # fmt: skip

HOSTS = Question(
    "hosts", "What does it cost to play bots on other machines?",
    "A season whose bots play here, then on one and on two host programs, each a process of its own with a pool of its "
    "own, on this machine over loopback: they share its CPUs, which other machines would not. The head's cost is the "
    "CPU time of its process in a tick, recording included.",
    (
        Goal("tick with one host, p50, beyond a tick that is played here", "over_local_ms_p50", " ms", 3,
             "{} ms with a host, {} ms here", ("tick_ms_p50_1_hosts", "tick_ms_p50_alone"), at_most=True),
        Goal("tick with one host beyond what that host takes, p50", "beyond_the_slowest_host_ms_p50_1_hosts", " ms",
             None, "with two hosts {} ms", ("beyond_the_slowest_host_ms_p50_2_hosts",)),
        Goal("head's CPU for a bot and tick, one host", "head_us_a_bot_1_hosts", " µs", 5,
             "two hosts {} µs, no host {} µs", ("head_us_a_bot_2_hosts", "head_us_a_bot_alone"), at_most=True),
        Goal("two hosts with 1,000 bots each: tick p99", "tick_ms_p99_2_hosts_each", " ms", None,
             "p50 {} ms; head {} µs a bot", ("tick_ms_p50_2_hosts_each", "head_us_a_bot_2_hosts_each")),
    ),
)  # fmt: skip

FARM = Question(
    "farm", "Do two machines of the farm do twice as much as one?",
    "One backtest of many bots in lockstep, a job a bot, taken by one `arena farm run` and by two, in turns, on this "
    "machine.",
    (Goal("two workers against one", "ratio", "x", 1.8, "{} s against {} s", ("two_s", "one_s")),),
)  # fmt: skip

BOARD = Question(
    "board", "How many people can look at the board?",
    "One worker process serves the leaderboard of a season; 16 connections ask again and again. The baseline is the "
    "usual way, a select and a response model at every request, in the same process.",
    (
        Goal("1,000 rows as JSON", "figures/json/requests_per_second", " requests/s", 5000,
             "the usual way {}, so {}x; p99 {} ms",
             ("figures/baseline/requests_per_second", "figures/json/ratio", "figures/json/p99_ms")),
    ),
    (Table("", "figures", (
        ("Asked for", ""), ("Bytes", "bytes"), ("Requests/s", "requests_per_second"), ("p50, ms", "p50_ms"),
        ("p99, ms", "p99_ms"), ("of the usual way", "ratio"))),),
)  # fmt: skip

_WRITTEN = (
    ("Written", ""), ("Rows", "rows"), ("Session, ms", "session_ms"), ("Ours, ms", "ours_ms"), ("Times", "ratio"),
)  # fmt: skip

WRITES = Question(
    "writes", "How fast are results written?",
    "Rows in one transaction through the store's bulk insert, against model objects through a session: plain rows of "
    "seven columns, and those of the real table of trades with its texts and its index.",
    (
        _bulk("SQLite", "sqlite", "rows", "plain rows"), _bulk("PostgreSQL", "postgresql", "rows", "plain rows"),
        _bulk("SQLite", "sqlite", "trades", "trades"), _bulk("PostgreSQL", "postgresql", "trades", "trades"),
    ),
    (
        Table("SQLite: the same for whole ticks of a season, as the recorder writes them.", "figures/sqlite", _WRITTEN),
        Table("PostgreSQL:", "figures/postgresql", _WRITTEN),
    ),
)  # fmt: skip

FILES = Question(
    "files", "How fast are market files read?",
    "Reading recordings of a market into ticks, checked row by row, against polars reading the same file into columns.",
    (Goal("the slowest format, against polars", "worst_ratio", "x", 1.5, at_most=True),),
    (Table("Seconds for a million trades (`native`: half as many), medians of rounds in turns.", "seconds", (
        ("Layout", ""), ("polars", "polars"), ("Ours", "arena"), ("Times", "ratio"))),),
)  # fmt: skip

GUARDS = Question(
    "guards", "What does the language wall cost?",
    "Ordinary bots compiled by the wall and as plain Python, in the same process in turns. The last one, whose every "
    "attribute has a name that must be guarded, is the worst case and no goal.",
    (
        *(_guarded(bot) for bot in ("sma with deques", "ema in a dict", "z-score in a class")),
        _guarded("a guarded name only", None),
    ),
)  # fmt: skip

TRICKS = Question(
    "tricks", "What does each trick of the sandbox buy?",
    "The same season of SMA bots with all of `sandbox/tuning`, without each of its tricks, and with none. CPU times "
    "are those of the bots' own processes; wall times of a busy machine say little. What buys less than a tenth of its "
    "goal (2,250 KiB a bot, 12 ms to start, the CPU of a tick) is taken out. Address-space randomisation is on: "
    "without it, in one run of 40 bots each, a bot weighed 1,988 KiB instead of 1,984 KiB. Huge pages for the "
    "interpreter's code were taken out: 250 bots used 39.7 and 40.4 µs of CPU a tick with them, 38.5 and 39.0 without. "
    "Packing buys nine hundredths and stays, because without it a bot weighs more than its goal. Prefault costs memory "
    "and stays: it spares a bot's first order most of its page faults, when thousands of bots get one signal.",
    (
        Goal("a bot's own memory, all tricks on", "without/nothing/private_kib", " KiB", 2250,
             "{} KiB with none; measured on {}, load average {}",
             ("without/everything/private_kib", "machine", "load"), at_most=True),
        Goal("check and start of a bot, with spare children", "start_ms_with_spares", " ms", None,
             "{} ms without; at a load average of {} a wall time says little", ("start_ms_without_spares", "load")),
        Goal("one bot in lockstep over the shared page", "lockstep_per_s_with_page", " ticks/s", None,
             "{} ticks/s over pipes; both sides poll, so this needs two idle CPUs, and the load average was {}",
             ("lockstep_per_s_without_page", "load")),
    ),
    (Table("Without which trick; medians of all bots.", "without", (
        ("Without", ""), ("Own memory, KiB", "private_kib"), ("Page tables, KiB", "page_tables_kib"),
        ("Own memory of a bot with many lists, KiB", "collecting_private_kib"),
        ("Start, ms of CPU", "start_cpu_ms"), ("Tick, µs of CPU", "tick_cpu_us"),
        ("Tick, µs of wall time a bot", "tick_us_a_bot"), ("Slowest tick", "slowest_tick_us_a_bot"),
        ("Page faults after the start", "faults_a_bot"))),),
)  # fmt: skip

FRAMES = Question(
    "frames", "Do damaged replies do damage?",
    "Random and mutated frames, as a hostile worker could send them, through the parsers of the server. Whatever comes "
    "out other than a reading or a refusal ends this run.",
    (Goal("frames parsed without anything else happening", "frames", "", None,
          "{} read, {} incomplete, {} refused as frames, {} refused as replies; {} KiB held at most",
          ("read", "incomplete", "refused_frame", "refused_reply", "peak_kib")),),
)  # fmt: skip

PAGES = Question(
    "pages", "Are the pages quick, and do spectators cost a tick anything?",
    "The board of many locked bots in an installed Chromium that keeps nothing from round to round; then live streams "
    "that a process of its own reads, beside the same bots without them.",
    (
        Goal("first paint of the board", "first_paint_ms", " ms", 1000, "{} bots; at most {} ms",
             ("bots", "first_paint_ms_most"), at_most=True),
        Goal("what the board loads, without the chart library", "weight_kb", " kB", 150, at_most=True),
        Goal("sorting the board, to the next frame", "sort_ms", " ms", 100, "at most {} ms", ("sort_ms_most",),
             at_most=True),
        Goal("filtering the board, to the next frame", "filter_ms", " ms", 100, "at most {} ms", ("filter_ms_most",),
             at_most=True),
        Goal("tick with spectators, p99", "tick_ms_p99", " ms", None, "{} spectators; without them {} ms",
             ("spectators", "alone_ms_p99")),
    ),
)  # fmt: skip

QUEUE = Question(
    "queue", "Do many strategies at once lose anything, or disturb anybody?",
    "Strategies handed in at once to a server whose loopback model takes two seconds an answer; half of them come from "
    "one author. The board is read 20 times a second meanwhile, and bots trade at every tick.",
    (
        Goal("strategies lost", "lost", "", 0, "{} admitted of {}", ("admitted", "submissions"), at_most=True),
        Goal("model calls beyond one a strategy", "extra_calls", "", 0, at_most=True),
        Goal("board, p99 of reads", "api_p99_ms", " ms", 100, "p50 {} ms; p99 before anything was handed in {} ms",
             ("api_p50_ms", "alone_p99_ms"), at_most=True),
        Goal("beats missed", "missed_beats", "", 0, "{} ticks with {} bots", ("ticks", "bots"), at_most=True),
        Goal("strategies of the one author asked before the others' last", "greedy_before_last", "",
             None, "the others had {}", ("others",)),
    ),
)  # fmt: skip

INTAKE = Question(
    "intake", "How many answers of models become bots, and after how many repairs?",
    "Recorded answers of models through the loopback model, which breaks a rule so many times before it gives them; "
    "then a few of them after one answer with each of the faults that models and their servers have. One at a time.",
    (Goal("admitted of the recorded answers, given at once", "rows/0 bad answers first/admitted", "", None,
          "of {}", ("rows/0 bad answers first/prompts",)),),
    (Table("By what the model gives before the recorded answer.", "rows", (
        ("Case", ""), ("Prompts", "prompts"), ("At once", "at_first"), ("After 1", "after_1"), ("After 2", "after_2"),
        ("Afresh", "afresh"), ("Continued", "continued"),
        ("Refused", "rejected"), ("Refused though sound", "refused_sound"), ("Tokens a bot", "tokens_per_admitted"),
        ("Seconds a bot", "seconds_per_admitted"))),),
)  # fmt: skip

BEHAVIOUR = Question(
    "behaviour", "Are faults in what a bot does found?",
    "Six kinds of fault, planted one at a time into sound bots, whose claims stay as they were. A sound bot counts as "
    "refused where the suite would send it back to its writer.",
    (
        Goal("planted faults that are found", "found_pct", " %", 95.0),
        Goal("sound bots that are refused", "sound_refused", "", 0, at_most=True),
        Goal("CPU that a usual bot takes, median", "cpu_s_median", " s", 2.0, at_most=True),
    ),
)  # fmt: skip

QUESTIONS = (
    REPLAY, PEERS, LOCKSTEP, LIVE, OFFENDERS, READERS, PAGES, START, SEASON, MONTH, SNAPSHOTS, STORAGE, HOSTS, FARM,
    BOARD, WRITES, FILES, GUARDS, TRICKS, QUEUE, INTAKE, BEHAVIOUR, FRAMES,
)  # fmt: skip
