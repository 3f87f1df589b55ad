"""`mailtickets demo`: a play with the real daemon between mail servers that live in this process."""
