# family: facades
# expect: blocked
# control: plain
# why: The library's own tables are not handed to a bot's method.
import textwrap
class S(str):
    def translate(self, table): breach(table); return str(self)
    def expandtabs(self, size=8): return self
textwrap.wrap(S("a b"))
textwrap.wrap(text=S("a b"))
