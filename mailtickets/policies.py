"""From the configuration to the desk's rules. The only place that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.desk.policy import AgentPolicy, Limits, Policy, QueuePolicy
from mailtickets.mail.classify import OwnAddresses
from mailtickets.mail.message import address_key, domain_of, local_of

if TYPE_CHECKING:
    from mailtickets.config import Config

NO_LIMIT = 1_000_000


def policy_of(config: Config) -> Policy:
    """Return the rules that a configuration sets."""
    queues = {
        name: QueuePolicy(
            name=name, address=address_key(queue.address), tag=queue.tag, agents=queue.agents, mailbox=queue.mailbox, smtp=queue.smtp,
            aliases=tuple(address_key(alias) for alias in queue.aliases), notify=queue.notify, plus_addressing=queue.plus_addressing,
            after_reply=queue.after_reply, cc=queue.cc, note_address=queue.note_address, language=queue.language,
            reminders=tuple(one.timedelta for one in queue.reminders), close_after=queue.close_after.timedelta,
            resolved_close_after=queue.resolved_close_after.timedelta, reopen_within=queue.reopen_within.timedelta,
            confirm_close=queue.confirm_close, collision_window=queue.collision_window.timedelta, ask_for=queue.ask_for,
            ask_for_below=queue.ask_for_below, help_links=queue.help_links, notify_attachments_bytes=queue.notify_attachments,
        )
        for name, queue in config.queues.items()
    }  # fmt: skip
    agents = {
        key: AgentPolicy(
            key,
            agent.name,
            address_key(agent.email),
            tuple(address_key(a) for a in agent.aliases),
            agent.proof,
            agent.receipts,
        )
        for key, agent in config.agents.items()
    }
    limits = config.limits
    return Policy(
        desk_name=config.desk.name,
        queues=queues,
        agents=agents,
        admins=config.desk.admins,
        zone=config.desk.timezone,
        echo=config.desk.echo,
        limits=Limits(
            ack_per_address_day=limits.ack_per_address_day, ack_per_proven_address_day=limits.ack_per_proven_address_day,
            ack_per_domain_hour=limits.ack_per_domain_hour, ack_per_hour=limits.ack_per_hour, ack_wait=limits.ack_wait.timedelta,
            mail_size_bytes=limits.mail_size, people_per_ticket=limits.people_per_ticket or NO_LIMIT,
        ),
    )  # fmt: skip


def own_addresses(policy: Policy) -> OwnAddresses:
    """Return the addresses that are the desk's own, for telling its mail from other people's."""
    addresses: set[str] = set()
    domains: set[str] = set()
    for queue in policy.queues.values():
        for address in (
            queue.address,
            *queue.aliases,
            *((address_key(queue.note_address),) if queue.note_address else ()),
        ):
            if local_of(address) == "*":
                domains.add(domain_of(address))
            else:
                addresses.add(address)
    return OwnAddresses(frozenset(addresses), frozenset(domains))
