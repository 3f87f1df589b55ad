"""Pure: an agent's mail that waits for its agent's word: without proof of who wrote it, or about to tell too much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mailtickets.desk import saying, silence
from mailtickets.desk.people import ELSEWHERE
from mailtickets.desk.returning import on_ticket
from mailtickets.desk.ticket import (
    Alarm,
    Audience,
    Change,
    Decision,
    Entry,
    EntryKind,
    Hold,
    HoldKind,
    Outcome,
    Timer,
    TimerKind,
)
from mailtickets.mail.absence import reads_like_absence

if TYPE_CHECKING:
    from mailtickets.desk.case import Case
    from mailtickets.desk.facts import PublicEntry, TicketFacts
    from mailtickets.desk.notices import Outgoing
    from mailtickets.desk.policy import AgentPolicy

HOLD_DAYS = 3
MAX_QUESTIONS_DAY = 20
PROVE = (
    "Set authserv_id in the [mailbox] section to the name your mail server writes into Authentication-Results "
    "(or, if it writes none, verify_dkim = true), or have the agent answer the notices directly, with the quoted text left in place."
)
NAME_US = (
    "If its To or Cc is an address of the desk, write it into the aliases of its [queue]; else the agent names the desk in To or Cc, "
    "or answers the notices directly."
)
YES_WORDS = frozenset({"yes", "y", "ja", "oui", "si", "ok", "confirm"})
NO_WORDS = frozenset({"no", "n", "nein", "non", "drop"})
# A line of a note this long does not stand in an answer by chance.
MIN_NOTE_LINE = 30


def first_word(text: str) -> str:
    """Return the first line of an answer to a question, in the form in which the words to answer with are compared."""
    return first_line(text).rstrip(".!").lower()


def first_line(text: str) -> str:
    """Return the first line that is not empty, as it was written."""
    return next((line.strip() for line in text.split("\n") if line.strip()), "")


def held_for_proof(case: Case) -> Decision:
    """Keep back a mail with an agent's address but without proof; ask the configured address, never the sender."""
    facts, agent = on_ticket(case)
    hold = _hold(case, HoldKind.IDENTITY, case.standing.why)
    alarms: tuple[Alarm, ...] = ()
    if case.facts.holds_today >= 1:
        alarms = (
            Alarm(
                f"agent without proof {agent.key}",
                f"Mail from {agent.name} had to be confirmed again",
                f"The mail carries no proof that {agent.email} sent it ({case.standing.why}).",
                NAME_US if case.standing.why == ELSEWHERE else PROVE,
            ),
        )
    mail: tuple[Outgoing, ...] = ()
    if case.facts.holds_today < MAX_QUESTIONS_DAY:
        mail = (
            saying.question(
                hold, agent, facts.ticket, case.queue, case.policy, case.incoming, case.incoming.text
            ),
        )
    elif case.facts.holds_today == MAX_QUESTIONS_DAY:
        mail = _asked_enough(case, agent, facts)
    return _keep(case, hold, mail, alarms)


def _asked_enough(case: Case, agent: AgentPolicy, facts: TicketFacts) -> tuple[Outgoing, ...]:
    """Tell the agent once that there are no more questions: among what is held now, there may be their own mail."""
    detail = (
        f"Within a day there were {MAX_QUESTIONS_DAY} mails in your name that nothing proves. I ask about no more of them: this one, "
        f"and further ones within the day, are held and come back to you after {HOLD_DAYS} working days. "
        "If it is yours, write it once more as an answer to this mail, or ask an admin, who sees it with `mailtickets held`."
    )
    return saying.event_to(
        (agent,), "status", facts.ticket, case.queue, case.policy, actor="desk", occasion=f"in:{case.event.copy}",
        text=case.incoming.text, detail=detail,
    )  # fmt: skip


def held_for_confirmation(case: Case, why: str, text: str, between: tuple[PublicEntry, ...]) -> Decision:
    """Keep back an answer that `leak` speaks against; the agent is shown why, and what came between."""
    facts, agent = on_ticket(case)
    hold = _hold(case, HoldKind.LEAK, why)
    question = saying.question(
        hold, agent, facts.ticket, case.queue, case.policy, case.incoming, text, between
    )
    return _keep(case, hold, (question,))


def _hold(case: Case, kind: HoldKind, why: str) -> Hold:
    facts, agent = on_ticket(case)
    until = silence.working_days_after(case.now, HOLD_DAYS)
    return Hold(kind, case.event.copy, facts.ticket.number, agent.key, case.event.code, why, until)


def _keep(case: Case, hold: Hold, mail: tuple[Outgoing, ...], alarms: tuple[Alarm, ...] = ()) -> Decision:
    facts, agent = on_ticket(case)
    entry = Entry(
        EntryKind.HELD,
        case.now,
        agent.key,
        Audience.DESK,
        reason=hold.why,
        message_id=case.incoming.message.message_id,
    )
    change = Change(
        replace(facts.ticket, updated_at=case.now), (entry,), (Timer(TimerKind.HELD, hold.expires_at, hold.copy),),
        fresh_key=case.standing.leaked,
    )  # fmt: skip
    return Decision(
        case.verdict(Outcome.HELD, hold.why, facts.ticket.number), (change,), mail, hold=hold, alarms=alarms
    )


def quotes_note(facts: TicketFacts, text: str) -> str:
    """Return why a text must not leave the desk unasked, or an empty string."""
    lines = {line.strip() for line in text.split("\n")}
    for note in facts.notes:
        if any(len(line.strip()) >= MIN_NOTE_LINE and line.strip() in lines for line in note.split("\n")):
            return "It holds a line of a note, which is for agents only."
    return ""


def leak(
    case: Case, facts: TicketFacts, agent: AgentPolicy, text: str
) -> tuple[str, tuple[PublicEntry, ...]] | None:
    """Return why an answer must be confirmed first, and what came between; None where nothing speaks against it."""
    if why := quotes_note(facts, text):
        return why, ()
    if reads_like_absence(text):
        return "It reads like an out-of-office reply.", ()
    if case.found.seen is None:
        return None
    newer = tuple(
        entry for entry in facts.public
        if entry.seq > case.found.seen and entry.actor != agent.key and case.now - entry.at < case.queue.collision_window
    )  # fmt: skip
    if newer:
        return (
            f"It answers an older mail: {saying.name_of(newer[-1].actor, case.policy)} wrote after it.",
            newer,
        )
    return None
