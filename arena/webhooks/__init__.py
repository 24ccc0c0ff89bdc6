"""Events sent to addresses of their users: what is told, to whom, signed, again and again until it is taken."""
