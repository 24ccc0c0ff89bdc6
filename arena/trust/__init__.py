"""Whether a rank is more than luck: figures, trials, closing statistics, receipts and attacks on the ranking."""
