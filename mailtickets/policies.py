"""From the configuration to the desk's rules. The only place that knows both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.agreements import (
    calendars_of,
    level_of,
    organisation_of,
    report_of,
    rule_of,
    rung_of,
    span,
    types_of,
)
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
            reminders=tuple(span(one) for one in queue.reminders), close_after=span(queue.close_after),
            resolved_close_after=span(queue.resolved_close_after), reopen_within=queue.reopen_within.timedelta,
            confirm_close=queue.confirm_close, collision_window=queue.collision_window.timedelta, ask_for=queue.ask_for,
            ask_for_below=queue.ask_for_below, help_links=queue.help_links, notify_attachments_bytes=queue.notify_attachments,
            calendar=queue.calendar, service_level=queue.service_level, on_call=queue.on_call, customer_priority=queue.customer_priority,
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
            agent.hours,
        )
        for key, agent in config.agents.items()
    }
    by_address = {
        address: agent.key for agent in agents.values() for address in (agent.email, *agent.aliases)
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
            ack_waiting=limits.ack_waiting, tickets_per_address_hour=limits.tickets_per_address_hour,
            notices_per_agent=limits.notices_per_agent, same_words_per_domain_day=limits.same_words_per_domain_day,
            mail_size_bytes=limits.mail_size, people_per_ticket=limits.people_per_ticket or NO_LIMIT,
            automatic_per_hour=limits.automatic_per_hour,
        ),
        calendars=calendars_of(config),
        service_levels={name: level_of(name, table) for name, table in config.service_levels.items()},
        organisations={key: organisation_of(key, table) for key, table in config.organisations.items()},
        types=types_of(config.types),
        rules=tuple(rule_of(number, table) for number, table in enumerate(config.rules, 1)),
        rungs=tuple(rung_of(number, table, by_address) for number, table in enumerate(config.escalations, 1)),
        reports={name: report_of(name, table) for name, table in config.reports.items()},
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
