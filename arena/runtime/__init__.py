"""What runs inside a worker beside the bot: ctx, the tick dict, the mirror of its account."""
