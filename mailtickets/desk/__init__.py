"""Pure: what the desk does. Time, ids and everything read from the store come in as arguments."""
