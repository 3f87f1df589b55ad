"""`mailtickets demo`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import click

from mailtickets.cli.words import EXIT_FAILED, private_files


@click.command()
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-desk"),
    show_default=True,
    help="Where the desk and all mails are left to look at. An earlier demo's is cleared; any other is refused.",
)
@click.option(
    "--stay",
    is_flag=True,
    help="Keep running after the play and print how to connect a mail program; Ctrl-C ends it.",
)
def demo(*, folder: Path, stay: bool) -> None:
    """Play a whole desk: a customer, two agents, real mail, time running fast.

    Needs no configuration, no root and no mail server. IMAP and SMTP servers on 127.0.0.1 live inside
    this command, and the daemon between them is the real one, in a process of its own. You see a ticket
    opened, acknowledged, answered, reminded, closed, reopened and solved, a note between agents, an
    automatic reply and a forged mail. It takes about 20 seconds, and no mail leaves this machine.

    \b
    mailtickets demo
    mailtickets --config demo-desk/config.toml show SUP-1001     afterwards
    mailtickets demo --stay                                      then write to it yourself
    """  # noqa: D301  (click's mark for lines that stay as they are)
    if not all(importlib.util.find_spec(name) for name in ("pymap", "aiosmtpd")):
        click.echo(
            "the demo's mail servers are not installed; install them with: pip install '.[demo]' in the checkout",
            err=True,
        )
        sys.exit(EXIT_FAILED)
    import asyncio

    from mailtickets.demo.desk import DeskEnded, FolderRefused
    from mailtickets.demo.stage import perform
    from mailtickets.demo.story import PlayStopped

    try:
        with private_files():
            sys.exit(asyncio.run(perform(folder, stay=stay)))
    except (FolderRefused, PlayStopped, DeskEnded) as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_FAILED)
