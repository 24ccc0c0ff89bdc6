# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: 'match x:\n case ' + '[' * 500 + ']' * 500 + ': pass'
