# family: facades
# expect: blocked
# control: plain
# why: The streams of sys write to the log and lead nowhere.
import sys
for name in ("buffer", "fileno", "detach", "reconfigure", "raw", "name", "closed"):
    if hasattr(sys.stdout, name):
        breach(name)
for name in ("modules", "path", "stdin", "__stdout__", "_getframe", "settrace", "addaudithook", "intern"):
    if hasattr(sys, name):
        breach(name)
sys.stdout = None
breach("stored")
