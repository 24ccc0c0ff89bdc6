# family: bombs
# expect: refused
# control: generated
# why: A source that would exhaust the reader is refused in words.
# source: 'if a: pass\n' + 'elif a: pass\n' * 2900
