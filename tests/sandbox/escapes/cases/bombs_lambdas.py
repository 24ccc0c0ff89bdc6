# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: 'x = ' + 'lambda: ' * 3000 + '1'
