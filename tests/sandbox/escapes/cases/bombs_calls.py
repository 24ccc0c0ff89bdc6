# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: 'x = ' + 'f(' * 1000 + ')' * 1000
