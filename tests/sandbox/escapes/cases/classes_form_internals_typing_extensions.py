# family: classes
# expect: blocked
# control: none
# why: No attribute of a typing form is the class that it stands for.
import typing_extensions as t
for name in ("origin", "kind", "args", "_origin", "__origin__", "__args__", "__kind__"):
    for form in (t.Type, t.Any, t.Callable):
        try: found = getattr(form, name)
        except AttributeError: continue
        breach(found)
