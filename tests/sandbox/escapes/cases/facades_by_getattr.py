# family: facades
# expect: blocked
# control: plain
# why: A facade has only the names of its table, whichever way it is asked.
import calendar, collections, contextlib, copy, dataclasses, datetime, decimal, enum, fractions, functools, json
import logging, numpy, pprint, random, re, statistics, string, sys, textwrap, traceback, typing
HIDDEN = (
    "sys _sys os _os builtins copyreg codecs decoder _decimal operator GenericAlias _core core ctypeslib testing ma "
    "_inst _compiler enum _string re modules path stdin __stdout__ _getframe settrace frombuffer memmap load nditer"
)
OFFERED = {numpy: ("lib", "random")}
for module in (calendar, collections, contextlib, copy, dataclasses, datetime, decimal, enum, fractions, functools,
               json, logging, numpy, pprint, random, re, statistics, string, sys, textwrap, traceback, typing):
    for name in HIDDEN.split():
        if hasattr(module, name):
            hand_over(getattr(module, name))
            breach(name)
