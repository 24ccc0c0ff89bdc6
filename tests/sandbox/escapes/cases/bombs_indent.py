# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: ''.join(' ' * i + 'if 1:\n' for i in range(300)) + ' ' * 300 + 'x = 1'
