"""What to write instead: the advice a refused import or built-in comes with."""

from __future__ import annotations

MODULE_HINT = (
    "Use the offered modules (math, statistics, random, collections, itertools, functools, "
    "datetime, json, numpy, ...) or plain Python."
)

_NO_HOST = "A bot cannot reach the machine it runs on; keep state in module globals."
_NO_NET = "A bot has no network; prices come with ctx.get_price and tick['prices']."
_NO_THREADS = "A bot is called once a tick; it needs no threads or processes."

MODULE_HINTS = {
    "os": _NO_HOST,
    "pathlib": _NO_HOST,
    "io": _NO_HOST,
    "shutil": _NO_HOST,
    "tempfile": _NO_HOST,
    "pickle": "Keep state in module globals; use json for text.",
    "sqlite3": "Keep state in module globals; trades are recorded by the arena.",
    "csv": _NO_HOST,
    "subprocess": _NO_THREADS,
    "threading": _NO_THREADS,
    "multiprocessing": _NO_THREADS,
    "asyncio": _NO_THREADS,
    "concurrent": _NO_THREADS,
    "signal": _NO_THREADS,
    "socket": _NO_NET,
    "requests": _NO_NET,
    "httpx": _NO_NET,
    "urllib": _NO_NET,
    "http": _NO_NET,
    "aiohttp": _NO_NET,
    "websocket": _NO_NET,
    "websockets": _NO_NET,
    "ccxt": _NO_NET,
    "yfinance": _NO_NET,
    "pandas": "Use collections.deque with statistics.fmean, or numpy, instead of pandas.",
    "scipy": "Use numpy, statistics or math instead of scipy.",
    "sklearn": "Write the model with numpy or plain Python; no machine learning library is offered.",
    "torch": "Write the model with numpy or plain Python; no machine learning library is offered.",
    "tensorflow": "Write the model with numpy or plain Python.",
    "talib": "Compute the indicator yourself from a deque of prices.",
    "ta": "Compute the indicator yourself from a deque of prices.",
    "pandas_ta": "Compute the indicator yourself from a deque of prices.",
    "inspect": "Bots cannot look into the interpreter.",
    "ctypes": "Bots cannot reach native code.",
    "gc": "Bots cannot look into the interpreter.",
    "importlib": "Use a plain import of an offered module.",
    "builtins": "The common built-ins are there without an import.",
    "traceback": "Log the exception's text: ctx.log(str(error)).",
    "warnings": "Log with ctx.log.",
    "secrets": "Use random: it is seeded per bot, so that results can be proved again.",
    "uuid": "Number things with itertools.count().",
    "weakref": "Use ordinary references.",
}

# Parts of offered modules that are not offered themselves, where there is better advice than a list.
ATTRIBUTE_HINTS = {
    "numpy.ma": "Use a boolean mask, as in `x[~np.isnan(x)]`, or np.nanmean and its like.",
    "numpy.testing": "Compare with np.allclose, np.array_equal or ==.",
    "numpy.lib.stride_tricks.as_strided": "Use np.lib.stride_tricks.sliding_window_view.",
    "numpy.polynomial": "Use np.polyfit, np.polyval or np.poly1d.",
    "numpy.char": "Use Python's own str methods in a list comprehension.",
    "numpy.matrix": "Use np.array and the @ operator.",
    "numpy.load": _NO_HOST,
    "numpy.save": _NO_HOST,
    "numpy.savetxt": _NO_HOST,
    "numpy.loadtxt": _NO_HOST,
    "numpy.genfromtxt": _NO_HOST,
    "numpy.memmap": _NO_HOST,
    "numpy.fromfile": _NO_HOST,
    "sys.path": _NO_HOST,
    "sys.modules": _NO_HOST,
    "sys.stdin": "A bot has no keyboard; put settings into constants.",
    "random.SystemRandom": "Use random.Random: it is seeded per bot, so that results can be proved again.",
}

BUILTIN_HINTS = {
    "open": "A bot has no files; keep state in module globals.",
    "eval": "Write the expression out.",
    "exec": "Write the code out.",
    "compile": "Write the code out.",
    "input": "A bot has no keyboard; put settings into constants.",
    "globals": "Use `global NAME` inside the function.",
    "locals": "Use a dict of your own.",
    "dir": "Use a list of the names you need.",
    "memoryview": "Use a list or a numpy array.",
    "breakpoint": "Log with ctx.log.",
    "help": "Log with ctx.log.",
    "exit": "Return from on_tick instead.",
    "quit": "Return from on_tick instead.",
    "id": "Compare with `is`, or number things with itertools.count().",
    "copyright": "Leave it out.",
    "credits": "Leave it out.",
    "license": "Leave it out.",
    "aiter": "Asynchronous code has no meaning in a bot.",
    "anext": "Asynchronous code has no meaning in a bot.",
    "__loader__": "Leave it out.",
}
