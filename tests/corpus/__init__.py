"""Figures over a corpus of real mails that lies beside the project; see `figures.py`."""
