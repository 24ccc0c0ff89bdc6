# family: classes
# expect: blocked
# control: plain
# why: A dataclass's fields become source text; a bot gets a copy of their table.
import dataclasses
class Yes:
    def __eq__(self, other): return True
    def __hash__(self): return 1
class Field:
    init = repr = compare = True
    kw_only, hash, metadata, type = False, None, {}, int
    default = default_factory = dataclasses.MISSING
    _field_type = Yes()
    name = "b=(100).real"
@dataclasses.dataclass
class X:
    a: int = 1
X.__dataclass_fields__["b"] = Field()
try:
    @dataclasses.dataclass
    class Y(X): pass
except Exception as error:
    breach(error)
else:
    if len(dataclasses.fields(Y)) != 1: breach("text")
