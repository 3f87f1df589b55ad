"""Pure: what rules must not contradict, and which of them can never fire."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.config_agreement_checks import SHIPPED
from mailtickets.config_agreement_types import BELOW
from mailtickets.config_checks import unknown
from mailtickets.config_problems import Finding
from mailtickets.desk.route import EXPIRED
from mailtickets.desk.words import PIECE, folded, has_word
from mailtickets.mail.message import address_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.config_agreement import OrganisationTable, RuleTable
    from mailtickets.config_checks import Findings
    from mailtickets.config_draft import Draft

CONDITIONS = ("words", "subject", "body", "sender", "organisation", "header", "from_queue")


def rule_contradictions(draft: Draft) -> Findings:
    """Yield what makes rules unusable."""
    for at, rule in draft.rules.items():
        yield from _names(draft, at, rule)
        yield from _effect(draft, at, rule)
        yield from _senders(draft, at, rule)
    yield from _order(draft)


def _names(draft: Draft, at: int, rule: RuleTable) -> Findings:
    then = ("rule", at, "then")
    for number, key in enumerate(rule.organisation):
        yield from unknown(draft, ("rule", at, "organisation", number), key, "organisation")
    for number, name in enumerate(rule.from_queue):
        yield from unknown(draft, ("rule", at, "from_queue", number), name, "queue")
    yield from unknown(draft, (*then, "type"), rule.then.type, "type", SHIPPED)
    yield from unknown(draft, (*then, "queue"), rule.then.queue, "queue")
    yield from unknown(draft, (*then, "service_level"), rule.then.service_level, "service_level")
    for number, tag in enumerate(rule.then.tags):
        if tag.casefold() == EXPIRED:
            reason = "belongs to the desk: it marks mail after the end of an agreement"
            yield Finding((*then, "tags", number), reason, "choose another word")
    key = rule.then.assign
    if key not in draft.names("agent"):
        yield from unknown(draft, (*then, "assign"), key, "agent")
        return
    names = [rule.then.queue] if rule.then.queue else rule.from_queue or draft.queues
    queues = [draft.queues[name] for name in names if name in draft.queues]
    if queues and not any(key in queue.agents for queue in queues):
        where = f"of queue.{rule.then.queue}" if rule.then.queue else "of a queue that the mail may come to"
        yield Finding(
            (*then, "assign"), f"is no agent {where}", f'add "{key}" to its agents, or name another agent'
        )


def _effect(draft: Draft, at: int, rule: RuleTable) -> Findings:
    known = "then" in rule.model_fields_set or not draft.has("rule", at, "then")
    if known and not rule.then.model_fields_set and not rule.stop:
        reason = (
            "is empty, so the rule does nothing"
            if draft.has("rule", at, "then")
            else "is missing, so the rule does nothing"
        )
        yield Finding(
            ("rule", at, "then"),
            reason,
            'add then = { priority = "P1" }, or type, queue, assign, tags, service_level',
        )


def _senders(draft: Draft, at: int, rule: RuleTable) -> Findings:
    """Find senders and organisations that no mail can have both."""
    named = [draft.organisations[key] for key in rule.organisation if key in draft.organisations]
    if not named or len(named) < len(rule.organisation):
        return
    if not any(one.domains or one.contacts for one in named):
        reason = "never fires: these organisations have neither domains nor contacts"
        yield Finding(("rule", at, "organisation"), reason, "add domains to them, or take the condition out")
    elif rule.sender and not any(_belongs(sender, one) for sender in rule.sender for one in named):
        reason = "never fires: no such address belongs to the organisations that the rule asks for"
        yield Finding(
            ("rule", at, "sender"), reason, "take one of the two conditions out, or mend the domains"
        )


def _belongs(sender: str, organisation: OrganisationTable) -> bool:
    """Tell whether a sender of a rule may be one of an organisation's people."""
    local, _, domain = address_key(sender).rpartition("@")
    if any(_meet(domain, own) for own in organisation.domains):
        return True
    contacts = [address_key(contact).rpartition("@") for contact in organisation.contacts]
    return any(local in {"*", name} and _meet(domain, theirs) for name, _, theirs in contacts)


def _meet(one: str, other: str) -> bool:
    """Tell whether a domain can be meant by both: "acme.example", or "*.acme.example" for all below it."""
    return _holds(one, other) or _holds(other, one)


def _holds(wide: str, domain: str) -> bool:
    """Tell whether all that `domain` means is meant by `wide`, too."""
    if wide == domain or not wide.startswith(BELOW):
        return wide == domain
    return (
        domain.removeprefix("*").endswith(wide.removeprefix("*"))
        if domain.startswith(BELOW)
        else domain.endswith(wide[1:])
    )


# Rules that an earlier one leaves nothing to


def _order(draft: Draft) -> Findings:
    whole = frozenset(draft.queues)
    last = max(draft.rules, default=0)
    ending: list[int] = []
    for at, rule in draft.rules.items():
        taken = next((one for one in ending if _covers(draft.rules[one], rule, whole)), None)
        if taken is not None:
            name = draft.rules[taken].name
            who = f'rule {taken + 1} ("{name}")' if name else f"rule {taken + 1}"
            reason = f"never fires: {who} takes all its mail and ends with stop = true"
            yield Finding(("rule", at), reason, f"write it above rule {taken + 1}, or take stop out there")
        if not rule.stop or not _readable(draft, at, rule):
            continue
        if not any(getattr(rule, key) for key in CONDITIONS):
            if at < last:
                reason = "ends every mail's way, as this rule has no condition: no later rule ever fires"
                yield Finding(("rule", at, "stop"), reason, "add a condition, or write the rule last")
        else:
            ending.append(at)


def _readable(draft: Draft, at: int, rule: RuleTable) -> bool:
    """Tell whether all its conditions could be read; a condition left out by mistake would make it look greedy."""
    return all(key in rule.model_fields_set or not draft.has("rule", at, key) for key in CONDITIONS)


def _covers(earlier: RuleTable, later: RuleTable, queues: frozenset[str]) -> bool:
    """Tell whether every mail that the later rule takes is one that the earlier rule takes."""
    texts = (later.words, later.subject, later.body)
    return (
        (not earlier.words or any(text and _all_hold(text, earlier.words) for text in texts))
        and (not earlier.subject or bool(later.subject and _all_hold(later.subject, earlier.subject)))
        and (not earlier.body or bool(later.body and _all_hold(later.body, earlier.body)))
        and (not earlier.sender or bool(later.sender and _all_from(later.sender, earlier.sender)))
        and _within(earlier.organisation, later.organisation)
        and (queues <= set(earlier.from_queue) or _within(earlier.from_queue, later.from_queue))
        and _same_headers(earlier, later)
    )


def _within(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _all_hold(phrases: Iterable[str], words: Iterable[str]) -> bool:
    """Tell whether each of the phrases holds one of the words."""
    wanted = tuple(words)
    return all(any(_has(phrase, word) for word in wanted) for phrase in phrases)


def _has(phrase: str, word: str) -> bool:
    return has_word(folded(phrase, PIECE), folded(word, PIECE))  # as far as the desk reads a condition


def _all_from(senders: Iterable[str], wide: Iterable[str]) -> bool:
    """Tell whether each of the senders is meant by one of the wider ones, too."""
    known = tuple(wide)
    return all(any(_means(one, sender) for one in known) for sender in senders)


def _means(wide: str, sender: str) -> bool:
    wide, sender = address_key(wide), address_key(sender)
    whole_domain = wide.startswith("*@") and _holds(wide[2:], sender.rpartition("@")[2])
    return wide == sender or whole_domain


def _same_headers(earlier: RuleTable, later: RuleTable) -> bool:
    held = {name.lower(): pattern for name, pattern in later.header.items()}
    for name, pattern in earlier.header.items():
        there = held.get(name.lower())
        if there is None or (pattern != "*" and (there == "*" or not _has(there, pattern))):
            return False
    return True
