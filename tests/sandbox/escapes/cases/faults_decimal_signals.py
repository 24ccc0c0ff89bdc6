# family: faults
# expect: blocked
# control: none
# why: The flags of a context that is gone do not show what its memory holds now.
import decimal
flags, traps = decimal.Context(traps=[]).flags, decimal.Context(traps=[]).traps
kept = [bytes([255]) * size for size in range(20, 160) for _ in range(60)]
if any(flags.values()) or any(traps.values()): breach("memory")
