"""Hosts: other machines that play a season's bots; who may be one, how it connects, and what it runs."""
