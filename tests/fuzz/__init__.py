"""Mutated input over everything that reads what strangers and admins write. See `python -m tests.fuzz --help`."""
