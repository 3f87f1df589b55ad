"""The doors to mail servers. Each answers in our own types."""
