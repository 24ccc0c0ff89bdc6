# expect: MEMORY
# why: a list larger than the allowance
import collections
import copy
import decimal
import itertools
import json
import math
import re
import time

import numpy as np

NAME = "memory_list"
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
    list(range(10 ** 10))
