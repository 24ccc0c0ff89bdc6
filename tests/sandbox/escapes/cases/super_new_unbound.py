# family: super
# expect: blocked
# control: plain
# why: What __new__ of a host class makes is an object of the bot's own.
import abc, contextlib
breach(abc.ABC.__new__(contextlib.ExitStack))
