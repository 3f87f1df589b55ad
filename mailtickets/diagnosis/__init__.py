"""What `mailtickets doctor` looks at. Gathers facts, judges them purely, changes nothing and sends no mail."""
