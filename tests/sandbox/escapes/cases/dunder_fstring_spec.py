# family: dunder
# expect: refused
# control: plain
# why: An expression inside a format specification is still an expression.
w = 3
hand_over(f"{1:{(lambda: 0).__globals__ and w}}" and "__builtins__")
