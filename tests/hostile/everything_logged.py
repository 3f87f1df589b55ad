"""The program with every library's logging turned up as far as it goes: what an admin does who looks for a fault.

Run as a module it is `mailtickets`; used in the place of it by `DeskProcess.program`.
"""

from __future__ import annotations

import logging

from mailtickets import maillog
from mailtickets.cli import main

LIBRARIES = ("imapclient", "imapclient.imaplib", "aiosmtplib", "asyncio", "mailparser", "apscheduler")


def turn_up() -> None:
    """Let everything be said once the program has set its own logging up."""
    set_up = maillog.set_up

    def all_of_it(*, form: str = "text", level: str = "info") -> None:
        set_up(form=form, level="debug")
        for name in ("", *LIBRARIES):
            logging.getLogger(name).setLevel(logging.DEBUG)

    maillog.set_up = all_of_it


if __name__ == "__main__":
    turn_up()
    main()
