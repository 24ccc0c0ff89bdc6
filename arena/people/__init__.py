"""Who may do what: accounts, tokens, sessions, rights, quotas, the record of what was done, honest names and bots."""
