# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: b'x = "\xed\xa0\x80"'
