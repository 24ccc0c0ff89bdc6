# family: faults
# expect: blocked
# control: none
# why: A list that an iterator clears meanwhile is not written past its end.
values = list(range(100000))
def clear():
    values.clear()
    yield 1
values[10:50000] = clear()
if values != [1]: breach("memory")
again = list(range(100000))
def clear_again():
    again.clear()
    yield 1
again[slice(10, 50000)] = map(abs, clear_again())
if again != [1]: breach("memory")
