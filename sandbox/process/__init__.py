"""Where a bot runs: fork, lock-down and limits of one process."""
