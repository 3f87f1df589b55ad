"""Pure: what works in a configuration but is probably not meant. Said as warnings; stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.config_checks import accounts
from mailtickets.config_problems import Finding
from mailtickets.config_rule_checks import CONDITIONS
from mailtickets.config_types import Route
from mailtickets.durations import size_text

if TYPE_CHECKING:
    from mailtickets.config_checks import Findings
    from mailtickets.config_draft import Draft


def doubts(draft: Draft) -> Findings:
    """Yield what works but is probably not meant; said as warnings."""
    for location, account in accounts(draft):
        if account.password and account.password.is_literal:
            yield Finding(
                (*location, "password"),
                "stands in the file itself",
                'better { file = "NAME" } or { credential = "NAME" }',
            )
    if draft.desk and not draft.desk.admins:
        yield Finding(("desk", "admins"), "names nobody, so nobody is told of trouble", "add an address")
    yield from _doubts_about_alerts(draft)
    if not draft.mailboxes:
        yield Finding(("mailbox",), "there is none, so mail comes in by `mailtickets receive` only")
    used = {queue.mailbox for queue in draft.queues.values()}
    for name in draft.mailboxes:
        if name not in used and not (len(draft.mailboxes) == 1 and "" in used):
            yield Finding(
                ("mailbox", name),
                "no queue reads it, so its mail goes to the first queue",
                f'set mailbox = "{name}" in a queue',
            )
    if draft.smtp and draft.limits.mail_size > draft.smtp.max_size:
        reason = f"is less than limits.mail_size ({size_text(draft.limits.mail_size)}): a larger answer of an agent comes back unsent"
        yield Finding(("smtp", "max_size"), reason, "set both to what the mail server takes")
    for at, rule in draft.rules.items():
        if rule.then.model_fields_set and not any(getattr(rule, key) for key in CONDITIONS):
            reason = "has no condition, so it holds for every mail"
            yield Finding(("rule", at), reason, "add one, such as words = [...], if that is not meant")
    yield from _doubts_about_people(draft)


def _doubts_about_alerts(draft: Draft) -> Findings:
    if draft.desk is None:
        return
    if not draft.desk.alert:
        reason = "is empty, so nobody is told when the mail server or a mailbox is away"
        yield Finding(("desk", "alert"), reason, 'write "mail" or a command')
    ordinary = next((queue.smtp for queue in draft.queues.values()), "")
    for number, route in enumerate(draft.desk.alert):
        if isinstance(route, Route) and route.smtp_account and route.smtp_account == ordinary:
            reason = "is the account that alarms go by anyway, so it is away together with it"
            yield Finding(("desk", "alert", number), reason, "name another account, or a command")


def _doubts_about_people(draft: Draft) -> Findings:
    for name, queue in draft.queues.items():
        if not queue.agents and not draft.has("queue", name, "agents"):
            yield Finding(
                ("queue", name, "agents"),
                "is missing, so nobody is told of new tickets",
                "add agents = [...]",
            )
        elif not queue.agents and not draft.written["queue"][name]["agents"]:
            yield Finding(
                ("queue", name, "agents"), "is empty, so nobody is told of new tickets", "name an agent"
            )
    in_queues = {key for queue in draft.queues.values() for key in queue.agents}
    in_queues |= _told_elsewhere(draft)
    some_proof = any(mailbox.authserv_id or mailbox.verify_dkim for mailbox in draft.mailboxes.values())
    for key, agent in draft.agents.items():
        if key not in in_queues:
            yield Finding(
                ("agent", key),
                "is in no queue, so writes as a customer",
                f'add "{key}" to the agents of a queue',
            )
        if agent.proof == "pass" and not some_proof:
            yield Finding(
                ("agent", key, "proof"),
                "no mailbox names an authserv_id or has verify_dkim, so every mail of this agent is held",
                "set authserv_id",
            )


def _told_elsewhere(draft: Draft) -> set[str]:
    """Return who acts on tickets without being in their queue: account managers, and people of a route or ladder."""
    words = {one.account_manager for one in draft.organisations.values()}
    words |= {word for kind in draft.types.values() for word in kind.route}
    words |= {person.key or person.address for rung in draft.escalations.values() for person in rung.to}
    return {key for key, agent in draft.agents.items() if {key, agent.email} & words}
