# expect: TIMEOUT MEMORY error ok
# why: a quotient with a hundred million digits
import collections
import copy
import decimal
import itertools
import json
import math
import re
import time

import numpy as np

NAME = "decimal_precision"
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
    decimal.getcontext().prec = 10 ** 8
    decimal.Decimal(1) / 3
