"""What the mail of the last weeks says about the configuration: addresses it does not know, and whose verdicts it carries."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from mailtickets.diagnosis.finding import Finding, ok, warning
from mailtickets.mail.authentication import authserv_ids
from mailtickets.mail.message import address_key, domain_of
from mailtickets.mail.parse import parse
from mailtickets.policies import policy_of
from mailtickets.store.errors import OriginalDamaged
from mailtickets.unread import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mailtickets.config import Config
    from mailtickets.desk.policy import Policy
    from mailtickets.mail.message import Message
    from mailtickets.store import Store

LOOK_BACK = timedelta(days=30)
MOST_MAILS = 500
HEAD_BYTES = 64 << 10
ADDRESSES_SHOWN = 10
SENDERS_OF_AN_ALIAS = 2
MAILS_OF_AUTHSERV_ID = 20
ENOUGH_MAILS = 5  # to say that an authserv-id is never seen


@dataclass(frozen=True, slots=True)
class Arrived:
    """The head of one mail that became part of a ticket, and the mailbox it came from."""

    mailbox: str
    message: Message


def recent_mail(store: Store, config: Config, now: datetime) -> tuple[list[Arrived], list[str]]:
    """Return the mails of the last 30 days, 500 at most, the newest first; none of agents' folders of sent mail.

    Beside them, in words, which originals cannot be read.
    """
    sent = {(name, one.sent_folder) for name, one in config.mailboxes.items() if one.sent_folder}
    found, damaged = [], []
    for mailbox, folder, digest in store.views.recent(now - LOOK_BACK, MOST_MAILS):
        if (mailbox, folder) not in sent:
            try:
                head = store.ledger.beginning(digest, HEAD_BYTES).partition(b"\r\n\r\n")[0]
            except KeyError:
                continue  # erased since the list was read
            except OriginalDamaged as error:
                damaged.append(str(error))
                continue
            found.append(Arrived(mailbox, parse(head + b"\r\n\r\n")))
    return found, damaged


def recent_mail_findings(store: Store, config: Config, now: datetime) -> Iterator[Finding]:
    """Look through the mail of the last 30 days."""
    mails, damaged = recent_mail(store, config, now)
    if damaged:
        more = f"; so are {len(damaged) - 1} more of the last 30 days" if damaged[1:] else ""
        remedy = f"what it said stands on its ticket; {ELSEWHERE}; `mailtickets doctor --deep` looks for more damage"
        yield warning("store", "originals", f"{damaged[0]}{more}", remedy)
    yield from judge_addresses(mails, policy_of(config), _domains(config))
    for name, table in config.mailboxes.items():
        heads = [one.message.headers for one in mails if one.mailbox == name][:MAILS_OF_AUTHSERV_ID]
        yield judge_authserv_id(f"mailbox.{name}", table.authserv_id, heads, verified=table.verify_dkim)


def _domains(config: Config) -> frozenset[str]:
    """Return the domains that are the desk's own: of its queues and of its mailboxes' user names."""
    written = [address for queue in config.queues.values() for address in (queue.address, *queue.aliases)]
    written += [one.username for one in config.mailboxes.values()]
    return frozenset(domain_of(address) for address in written if "@" in address)


def judge_addresses(mails: Sequence[Arrived], policy: Policy, domains: frozenset[str]) -> Iterator[Finding]:
    """List the addresses by which mail came in that name no queue, each with the line to add.

    An address in To or Cc counts if its domain is ours; else only if several people wrote to it, as a blind copy
    or a newsletter names anybody's.
    """
    unnamed = [one for one in mails if not policy.queues_named(one.message)]
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    writers: dict[str, set[str]] = defaultdict(set)
    for one in unnamed:
        for address in addressed(one.message, policy):
            writers[address].add(one.message.sender.key if one.message.sender else "")
            counts[policy.queue_for(one.message, one.mailbox)[0].name][address] += 1
    said = False
    for queue, addresses in counts.items():
        known = {
            address: count
            for address, count in addresses.most_common()
            if domain_of(address) in domains or len(writers[address]) >= SENDERS_OF_AN_ALIAS
        }
        if not known:
            continue
        said = True
        shown = list(known)[:ADDRESSES_SHOWN]
        listed = ", ".join(f"{address} ({known[address]})" for address in shown)
        more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
        aliases = ", ".join(f'"{alias}"' for alias in (*policy.queues[queue].aliases, *shown))
        yield warning(
            "addresses",
            queue,
            f"mail of the last 30 days to these names no queue, and went to {queue}: {listed}{more}",
            f"if they are yours: aliases = [{aliases}] in [queue.{queue}], or in the queue they belong to",
        )
    if not said:
        yield ok(
            "addresses", "", f"no address to be added; mails of the last 30 days looked at: {len(mails)}"
        )


def addressed(message: Message, policy: Policy) -> list[str]:
    """Return the addresses by which a mail that names no queue may have come in, in comparable form.

    Where it was delivered to, To and Cc; not the writer's own address and not a person's of the desk. None for
    mailing lists, which are written to by many and are not ours.
    """
    if any(name.lower() == "list-id" for name, _ in message.headers):
        return []
    written = (*message.delivered_to, *(one.address for one in (*message.to, *message.cc)))
    keys = dict.fromkeys(address_key(address) for address in written if "@" in address and address.isascii())
    people = {one.key for one in message.from_} | {address_key(admin) for admin in policy.admins}
    return [key for key in keys if key not in people and policy.agent_of(key) is None]


def judge_authserv_id(
    area: str, written: str, heads: Sequence[Sequence[tuple[str, str]]], *, verified: bool = False
) -> Finding:
    """Compare the configured authserv-id with what stands topmost in the newest mails.

    verified   DKIM is verified by ourselves.
    """
    seen, mails = authserv_ids(heads), len(heads)
    top, count = seen.most_common(1)[0] if seen else ("", 0)
    own = seen[written.lower()]
    line = f'if that is your own mail server: authserv_id = "{top}" in [{area}]'
    if not written and top:
        what = f'authserv_id is not set; verdicts of "{top}" stand on {count} of the newest mails ({mails} looked at)'
        return warning(area, "authserv_id", what, line)
    if not written:
        by = "reply keys, and DKIM verified here" if verified else "reply keys only"
        return ok(area, "authserv_id", f"authserv_id is not set, so senders are proven by {by}")
    if own or mails < ENOUGH_MAILS:
        said = f"stand on {own} of the newest mails ({mails} looked at)" if mails else "count; no mail so far"
        return ok(area, "authserv_id", f'verdicts of "{written}" {said}')
    missing = f'none of the newest mails ({mails} looked at) carries a verdict of "{written}"'
    if top:
        return warning(area, "authserv_id", f'{missing}; {count} carry one of "{top}"', line)
    remedy = f"let the mail server write Authentication-Results, or take authserv_id out of [{area}]"
    return warning(area, "authserv_id", f"{missing}, so nobody is proven by it", remedy)
