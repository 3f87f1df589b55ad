"""The command that erases a person."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    counted,
    loaded,
    one_change,
    print_json,
    say,
    writing_store,
)
from mailtickets.clocks import utc_now

if TYPE_CHECKING:
    from mailtickets.desk.facts import Traces

BY = "the admin, on the command line"
ELSEWHERE = (
    "Not gone are copies elsewhere: mails in the mailbox on the mail server, in mail programs, backups made before, and log"
    " files. Delete those yourself; after restoring such a backup, erase the person again."
)


@click.command()
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask on the terminal.")
@as_json
def forget(*, address: str, yes: bool, as_json: bool) -> None:
    """Erase a person: address, name, mails, attachments; what figures are counted from stays. It cannot be undone.

    A ticket with nobody else on it loses all its words and is closed, and nobody is told; on a ticket with others only
    this person's own words go. Works while the daemon runs, and without it.
    """
    from mailtickets.desk.forgetting import obstacle
    from mailtickets.desk.ticket import Forget
    from mailtickets.forgetting import erase
    from mailtickets.mail.message import address_key
    from mailtickets.originals import Originals
    from mailtickets.readying import rules_of, templates_of
    from mailtickets.recording import Recorder

    config = loaded()
    store = writing_store(config)
    rules = rules_of(config, store, templates_of(config))
    address = address_key(address)
    held = store.forgetting.held(address)
    if why := obstacle(address, held, rules.policy):
        if as_json:
            print_json({"error": why})
        else:
            say(why, err=True)
        sys.exit(EXIT_FAILED)
    if not yes:
        if as_json:
            raise click.UsageError("with --json nobody is asked; add --yes")
        say(_about(address, held), "    ")
        click.confirm("Erase this person? It cannot be undone", default=False, abort=True)
    originals = Originals(store.ledger.original, store.ledger.beginning)
    recorder = Recorder(store, rules, utc_now, originals)
    with one_change(store):
        name = erase(
            Forget(address, by=BY),
            store,
            rules.policy,
            utc_now(),
            lambda one: recorder.record(one, None, None),
        )
    unclean = store.clean_up()
    if as_json:
        print_json({"pseudonym": name, "tickets": held.tickets, "closed": held.open, "mails": held.mails})
        return
    say(f"the person is erased; {counted(held.tickets, 'ticket')} had to do with it, now under {name}")
    if unclean:
        say(
            f"what was erased is not yet gone from the free room of the store ({unclean}); the daemon goes on with it"
        )
    say(ELSEWHERE)


def _about(address: str, held: Traces) -> str:
    shared = held.tickets - held.alone
    return "\n".join((
        f"{address}: {counted(held.mails, 'mail')}, {counted(held.tickets, 'ticket')}",
        f"  {held.alone} with nobody else: all words go, {held.open} still open are closed and nobody is told",
        f"  {shared} with others: this person's own words go, the others' stay",
    ))  # fmt: skip
