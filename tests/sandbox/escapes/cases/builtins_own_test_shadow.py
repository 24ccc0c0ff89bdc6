# family: builtins
# expect: refused
# control: none
# why: The names of the tests that go round a guard cannot be spelt.
@own self = 1
