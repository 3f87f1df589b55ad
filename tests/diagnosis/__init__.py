"""What `doctor` makes of facts, without the machine they come from."""
