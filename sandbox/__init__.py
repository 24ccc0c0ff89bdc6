"""Runs one untrusted Python file in one killable process; knows source, processes and bytes."""
