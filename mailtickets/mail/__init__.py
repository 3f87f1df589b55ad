"""Pure: what a mail is. Knows nothing of tickets, does no I/O, reads no clock."""
