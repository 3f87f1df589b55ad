"""From the configuration to a line that works: the rules ready for use, the store opened, an ended process's leavings set right."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from typing import TYPE_CHECKING

from mailtickets.accounts import rates_of, takes_null_sender
from mailtickets.clocks import utc_now
from mailtickets.joining import join_folders
from mailtickets.letters import Writer
from mailtickets.pipeline import Line
from mailtickets.policies import own_addresses, policy_of
from mailtickets.reading import Reading
from mailtickets.recording import Rules
from mailtickets.store import Store
from mailtickets.templates import Templates

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from mailtickets.config import Config
    from mailtickets.desk.policy import Policy
    from mailtickets.mail.keys import KeyRing

CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # without those that are read as others


def new_id() -> str:
    """Return a fresh word for a Message-ID."""
    return secrets.token_hex(8)


def new_code() -> str:
    """Return a fresh one-time code, such as 7K3M-9QXD (40 bits)."""
    letters = "".join(secrets.choice(CODE_LETTERS) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def rules_of(config: Config, store: Store, templates: Templates) -> Rules:
    """Return a configuration's rules, ready for the line."""
    policy, ring = policy_of(config), store.key_ring()
    reading = reading_of(config, policy, ring)
    writer = Writer(policy, ring, templates, takes_null_sender(config), new_id)
    return Rules(policy, reading, writer, digest_of(config), rates_of(config))


def digest_of(config: Config) -> str:
    """Return what changes with every word of the configuration."""
    written = hashlib.sha256()
    for path in (config.path, config.desk.organisations):
        with contextlib.suppress(OSError):
            written.update(path.read_bytes() if path else b"")
    return written.hexdigest()


def reading_of(config: Config, policy: Policy, ring: KeyRing) -> Reading:
    """Return how a configuration's mail is read."""
    authserv_ids = {name: mailbox.authserv_id for name, mailbox in config.mailboxes.items()}
    sent_folders = {name: mailbox.sent_folder for name, mailbox in config.mailboxes.items()}
    verifying = frozenset(name for name, mailbox in config.mailboxes.items() if mailbox.verify_dkim)
    return Reading(ring, own_addresses(policy), authserv_ids, sent_folders, verifying)


def templates_of(config: Config) -> Templates:
    """Return the wording that a configuration names."""
    return Templates(config.templates.folder, zone=config.desk.zone, queues=frozenset(config.queues))


def open_line(config: Config, clock: Callable[[], datetime] = utc_now) -> tuple[Store, Line]:
    """Open the store and the line over it, and set right what an ended process left."""
    store = Store.open(config.desk.store, clock())
    try:
        store.check_quickly()
        join_folders(config, store)
        line = Line(store, rules_of(config, store, templates_of(config)), clock, new_code)
        line.recover()
    except BaseException:
        store.close()
        raise
    return store, line
