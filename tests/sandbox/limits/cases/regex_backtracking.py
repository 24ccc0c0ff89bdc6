# expect: TIMEOUT
# why: catastrophic backtracking
import collections
import copy
import decimal
import itertools
import json
import math
import re
import time

import numpy as np

NAME = "regex_backtracking"
SYMBOLS = ["BTCUSDT"]
KEPT = []


class Same:
    def __hash__(self):
        return 0

    def __eq__(self, other):
        return False


class Loud:
    def __str__(self):
        return "x" * 10_000_000


class Slow:
    def __str__(self):
        while True:
            pass


class Mute:
    def __str__(self):
        raise ValueError("no")


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no")


def on_tick(ctx, tick):
    re.match('(a+)+$', 'a' * 40 + 'b')
