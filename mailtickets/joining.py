"""A folder that joins a desk at work is looked at from then on: what lies in it is no new mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets import maillog
from mailtickets.source import sources

if TYPE_CHECKING:
    from mailtickets.config import Config
    from mailtickets.store import Store


def join_folders(config: Config, store: Store) -> None:
    """Note the folders that are new to the desk; only where the store is written, before mail is taken in."""
    with store.transaction():
        every = sources(config, store.start_of)
        fresh = [one for one in every if store.note_joining(one.name, one.folder)]
    for one in fresh:
        if one.from_now:
            start = store.start_of(one.name, one.folder)
            maillog.note("a folder joins the desk; mail from before is left alone", mailbox=one.name, folder=one.folder, before=start.isoformat())  # fmt: skip
