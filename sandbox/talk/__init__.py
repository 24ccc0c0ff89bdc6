"""What server and worker say to each other; everything from a worker is parsed as hostile."""
