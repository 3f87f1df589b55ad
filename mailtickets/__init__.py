"""mailtickets: a service desk whose only user interface is e-mail."""

__version__ = "0.1.0"
