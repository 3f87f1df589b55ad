"""`python -m mailtickets`."""

from mailtickets.cli import main

main()
