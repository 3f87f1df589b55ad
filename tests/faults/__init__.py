"""The fault matrix: each fault is made to happen to the real process, between real servers. `make faults` prints the table."""
