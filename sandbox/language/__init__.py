"""What a bot may write, and what runs at each guarded access."""
