# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: '@d\n' * 20000 + 'def f(): pass'
