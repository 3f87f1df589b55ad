"""Commands about mails that were set aside: quarantine and held."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from mailtickets.cli.words import (
    EXIT_FAILED,
    as_json,
    harmless,
    loaded,
    loaded_to_look,
    numbers,
    one_change,
    print_json,
    reading_store,
    rfc3339,
    say,
    stamp,
    table,
    table_stamp,
    writing_store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mailtickets.config import Config
    from mailtickets.store import Store
    from mailtickets.store.views import CopyView

TO_DO = (
    "`mailtickets quarantine retry N` decides it once more, after its cause was mended; `quarantine release N` lets it in"
    " although its cause is still there; `quarantine drop N` leaves it out"
)


def aside_json(copy: CopyView) -> dict[str, Any]:
    """Return a mail as the listing commands print it for scripts; these keys are fixed."""
    return {
        "id": copy.id,
        "at": rfc3339(copy.taken),
        "from": copy.sender,
        "subject": copy.subject,
        "reason": copy.reason,
    }


def _print_aside(state: str, *, as_json: bool) -> None:
    config = loaded_to_look()
    copies = reading_store(config).views.aside(state)
    if as_json:
        print_json([aside_json(copy) for copy in copies])
        return
    if not copies:
        click.echo("nothing")
        return
    rows = [
        (str(c.id), table_stamp(c.taken, config.desk.zone), c.sender or "unknown sender", c.subject, c.reason)
        for c in copies
    ]
    click.echo(table(rows, ("id", "taken", "from", "subject", "reason"), below=("reason",)))


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def quarantine(ctx: click.Context, *, as_json: bool) -> None:
    """Mails that were set aside whole, each with its reason.

    \b
    mailtickets quarantine              list them; the same as `quarantine list`
    mailtickets quarantine show 17      print one as it came, and what can be done
    mailtickets quarantine show 17 --raw > mail.eml
                                        its very bytes, also those of a mail that is not in quarantine
    mailtickets quarantine retry 17     decide it once more by the rules, after its cause was mended
    mailtickets quarantine release 17   let it in although its cause is still there
    mailtickets quarantine drop 17 18   leave them out; the originals stay in the store
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _print_aside("quarantined", as_json=as_json)


@quarantine.command("list")
@as_json
def quarantine_list(*, as_json: bool) -> None:
    """List the mails in quarantine, the newest first."""
    _print_aside("quarantined", as_json=as_json)


@quarantine.command("show")
@click.argument("number", type=int)
@click.option(
    "--raw", is_flag=True, help="Only its bytes as they were stored, for a file or another program."
)
def quarantine_show(*, number: int, raw: bool) -> None:
    """Print one mail: why it was set aside, what can be done, and all of it as it came; nothing that a terminal would obey."""
    config = loaded_to_look()
    store = reading_store(config)
    copy, view = store.ledger.copy(number), store.views.copy(number)
    if copy is None or view is None:
        click.echo(f"there is no mail {number} in the ledger", err=True)
        sys.exit(EXIT_FAILED)
    if raw and is_terminal():
        click.echo(
            "--raw gives what a stranger sent, with keys and whatever a terminal obeys: add `> mail.eml`",
            err=True,
        )
        sys.exit(EXIT_FAILED)
    whole, problem = _bytes(store, copy.digest)
    if raw and whole is not None:
        click.echo(whole, nl=False)
        return
    if raw:
        say(problem, err=True)
        sys.exit(EXIT_FAILED)
    about = (
        ("mail", f"{number}, {_where(store, number)}"),
        ("from", view.sender or "unknown sender"),
        ("taken", stamp(view.taken, config.desk.zone)),
        ("to do", TO_DO.replace("N", str(number)) if view.state == "quarantined" else ""),
    )
    for name, value in about:
        if value:
            say(f"{name:<6} {harmless(value)}", " " * 7)
    click.echo()
    if whole is None:
        say(problem)
    else:
        click.echo(harmless(whole.decode("utf-8", "replace").replace("\r\n", "\n")))


def _bytes(store: Store, digest: bytes) -> tuple[bytes | None, str]:
    """Return the bytes of a stored mail; without them why they cannot be had."""
    from mailtickets.store.errors import OriginalDamaged
    from mailtickets.unread import ELSEWHERE

    try:
        return store.ledger.original(digest), ""
    except KeyError:
        return None, f"its bytes cannot be read: they are not in the store; {ELSEWHERE}"
    except OriginalDamaged as error:
        return None, harmless(f"its bytes cannot be read: {error}; {ELSEWHERE}")


def is_terminal() -> bool:
    """Tell whether somebody looks at what is printed."""
    return sys.stdout.isatty()


@quarantine.command("retry")
@numbers
def quarantine_retry(*, number: tuple[int, ...]) -> None:
    """Decide mails once more by the rules, after the cause was mended.

    One whose cause is still there comes back into quarantine; `mailtickets quarantine release` lets it in all the same.
    The running daemon does so within a second; without one this command does it itself.
    """
    _put_back(number, lambda store, one: store.ledger.wait_again(one), "will be decided again")


@quarantine.command("release")
@numbers
def quarantine_release(*, number: tuple[int, ...]) -> None:
    """Let mails in although their cause is still there, such as a mark as spam or a false claim to be us.

    Each becomes a customer's mail: it gives nobody an agent's rights, and its sender gets no automatic answer. One
    that cannot be read makes a ticket by what its header says. The history says that you released it. The running
    daemon does so within a second; without one this command does it itself.
    """
    _put_back(number, lambda store, one: store.ledger.release(one), "will be let in")


@quarantine.command("drop")
@numbers
def quarantine_drop(*, number: tuple[int, ...]) -> None:
    """Leave mails out for good; their originals stay in the store."""
    store = writing_store(loaded())
    dropped: list[int] = []
    with one_change(store):
        dropped = [one for one in number if store.ledger.drop(one)]
    for one in number:
        say(f"mail {one} is left out" if one in dropped else _not_there(store, one), err=one not in dropped)
    sys.exit(0 if len(dropped) == len(number) else EXIT_FAILED)


def _put_back(chosen: Sequence[int], put: Callable[[Store, int], bool], words: str) -> None:
    """Put mails back among those to be decided, and have them decided."""
    config = loaded()
    store = writing_store(config)
    with one_change(store):
        done = [one for one in chosen if put(store, one)]
    for one in chosen:
        if one not in done:
            say(_not_there(store, one), err=True)
    store.close()
    if done:
        have_decided(config, done, words)
    sys.exit(0 if len(done) == len(chosen) else EXIT_FAILED)


def have_decided(config: Config, done: Sequence[int], words: str) -> None:
    """Leave mails that wait to the running daemon; without one decide them here and say where each went."""
    from mailtickets.once import decide_waiting

    if not decide_waiting(config):
        for one in done:
            say(f"mail {one} {words}; the running daemon does it within a second: `mailtickets why {one}`")
        return
    store = reading_store(config)
    for one in done:
        say(harmless(f"mail {one}: {_where(store, one)} (no daemon runs, so it was done here)"))
        if _is_aside(store, one):
            say(
                f"mail {one} is in quarantine again; `mailtickets quarantine release {one}` lets it in although its cause is still there"
            )


def _is_aside(store: Store, number: int) -> bool:
    copy = store.views.copy(number)
    return copy is not None and copy.state == "quarantined"


def _not_there(store: Store, number: int) -> str:
    """Say where a mail is that is not in quarantine."""
    copy = store.views.copy(number)
    if copy is None:
        return f"there is no mail {number} in the ledger"
    waits = "; it waits for its agent's answer" if copy.state == "held" else ""
    return harmless(f"mail {number} is not in quarantine, but {_where(store, number)}{waits}")


def _where(store: Store, number: int) -> str:
    copy = store.views.copy(number)
    if copy is None:
        return "is not in the ledger"
    ticket = store.views.ticket(copy.ticket) if copy.ticket else None
    place = f"on {ticket.reference}" if ticket else copy.state.replace("_", " ")
    return f"{place}: {copy.reason}"


@click.command()
@as_json
def held(*, as_json: bool) -> None:
    """List mails with an agent's address that wait for that agent's confirmation."""
    _print_aside("held", as_json=as_json)
