"""What a bot does, beside what was said: claims, tapes that test them, findings, and explanations."""
