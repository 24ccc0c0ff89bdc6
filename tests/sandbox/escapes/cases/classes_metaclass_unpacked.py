# family: classes
# expect: refused
# control: none
# why: Nor through unpacked keywords.
class A(**{"metaclass": lambda *a: 1}): pass
