"""Who speaks, and what they may do: every cell of the table of who and proof, through the real line.

A row says who writes, what leads the mail to the ticket, what is proven, and in which state the ticket is; then what
comes of it. The ticket is cora's, SUP-1001; anna has it. Every mail begins with a command and goes on with words for
the customer, so that a cell shows whether commands are done and whether words are relayed.

Where the table of the first plan and the design differ, the design is followed: a customer's failed authentication is
filed and marked, never set aside; a person outside reopens nothing and stops the reminders; only what claims to be an
agent or the desk itself against our own server's word is set aside; an answer without commands has no receipt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.desk.ticket import TimerKind
from tests.hostile.answers import ADMIN, ANNAS, BENS, SERVER, answer, kinds, verdict
from tests.hostile.desk import ANNA, BEN, EVE, HostileDesk, Met

CORAS, CARLS, DANS = "cora@client.example", "carl@desk.example", "dan@desk.example"
CARL = AgentPolicy("carl", "Carl Cash", CARLS)  # of another queue
DAN = AgentPolicy("dan", "Dan Dare", DANS)  # an agent until now
BILLING = QueuePolicy("billing", "billing@desk.example", "BIL", ("carl",), mailbox="support")
WITH_DAN = Policy(
    "Acme Support",
    {
        "support": QueuePolicy("support", "support@desk.example", "SUP", ("anna", "ben", "dan"), mailbox="support"),
        "billing": BILLING,
    },
    {"anna": ANNA, "ben": BEN, "carl": CARL, "dan": DAN},
    admins=(ADMIN,),
)  # fmt: skip
NOW = replace(
    WITH_DAN,
    queues={**WITH_DAN.queues, "support": replace(WITH_DAN.queues["support"], agents=("anna", "ben"))},
    agents={"anna": ANNA, "ben": BEN, "carl": CARL},
)
ADDRESSES = {
    "agent": ANNAS, "participant": CORAS, "stranger": EVE, "agent elsewhere": CARLS, "former agent": DANS,
    "the desk": "support@desk.example", "two authors": "anna@desk.example, eve@evil.example",
}  # fmt: skip
PROOFS = {
    "pass": "dmarc=pass header.from={}",
    "fail": "dmarc=fail header.from={}",
    "none": "",
    "spf": "spf=pass smtp.mailfrom={}",
}


@dataclass(frozen=True)
class Cell:
    """A cell.

    who, lead, proof, before   who writes; the key or tag in the mail; what our server says; the ticket's status.
    place                      "ticket", "new", "held" or "quarantined".
    after                      the ticket's status then. A ticket that waits has its reminders, any other none.
    cora, writer, anna, ben, admin   what each is sent because of it, by kind; the writer only where it is none of the others.
    seen                       who may read the mail as it came, customers or agents alone, and how it is marked; "" where it
                               is not filed as it came.
    """

    who: str
    lead: str
    proof: str
    before: str
    place: str
    after: str
    cora: str = ""
    writer: str = ""
    anna: str = ""
    ben: str = ""
    admin: str = ""
    seen: str = ""

    def __str__(self) -> str:
        """The cell's name in the report."""
        return f"{self.who}, {self.lead}, {self.proof}, {self.before}".replace(" ", "_")


CELLS = [
    # Proven by our server or by the own key: answers and commands. By neither: asked first. Contradicted: set aside.
    Cell("agent", "anna's key", "pass", "waiting", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "anna's key", "pass", "closed", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "anna's key", "none", "waiting", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "anna's key", "none", "closed", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "anna's key", "fail", "waiting", "quarantined", "waiting", admin="trouble"),
    Cell("agent", "anna's key", "fail", "closed", "quarantined", "closed", admin="trouble"),
    Cell("agent", "tag", "pass", "waiting", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "tag", "pass", "closed", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "tag", "none", "waiting", "held", "waiting", anna="held"),
    Cell("agent", "tag", "none", "closed", "held", "closed", anna="held"),
    Cell("agent", "tag", "fail", "waiting", "quarantined", "waiting", admin="trouble"),
    Cell("agent", "tag", "fail", "closed", "quarantined", "closed", admin="trouble"),
    Cell("agent", "thread key", "none", "waiting", "held", "waiting", anna="held"),
    Cell("agent", "thread key", "pass", "waiting", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "ben's key", "none", "waiting", "held", "waiting", anna="held"),
    Cell("agent", "ben's key", "pass", "waiting", "ticket", "closed", cora="closed", anna="receipt"),
    Cell("agent", "nothing", "pass", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("agent", "nothing", "none", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: claims to be from the agent Anna Archer; nothing proves it; sender unverified"),
    Cell("agent", "nothing", "fail", "waiting", "quarantined", "waiting", admin="trouble"),
    # A customer's mail counts as it is; contradicted, it is filed for the agents alone, and reopens and acknowledges nothing.
    Cell("participant", "thread key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="customer"),
    Cell("participant", "thread key", "pass", "closed", "ticket", "open", anna="agent_reopened", seen="customer"),
    Cell("participant", "thread key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="customer: unverified"),
    Cell("participant", "thread key", "none", "closed", "ticket", "open", anna="agent_reopened", seen="customer: unverified"),
    Cell("participant", "thread key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: not proven"),
    Cell("participant", "thread key", "fail", "closed", "ticket", "closed", anna="agent_reply", seen="agents: not proven"),
    Cell("participant", "tag", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="customer"),
    Cell("participant", "tag", "pass", "closed", "ticket", "open", anna="agent_reopened", seen="customer"),
    Cell("participant", "tag", "none", "waiting", "ticket", "open", anna="agent_reply", seen="customer: unverified"),
    Cell("participant", "tag", "none", "closed", "ticket", "open", anna="agent_reopened", seen="customer: unverified"),
    Cell("participant", "tag", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: not proven"),
    Cell("participant", "tag", "fail", "closed", "ticket", "closed", anna="agent_reply", seen="agents: not proven"),
    Cell("participant", "anna's key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="customer: unverified"),
    Cell("participant", "nothing", "pass", "waiting", "new", "waiting", cora="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("participant", "nothing", "none", "waiting", "new", "waiting", cora="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("participant", "nothing", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    # With a proof of the thread outside it, whatever is proven about them; with an agent's key that agent is asked. A tag gives nothing.
    Cell("stranger", "thread key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "thread key", "pass", "closed", "ticket", "closed", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "thread key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "thread key", "none", "closed", "ticket", "closed", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "thread key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "thread key", "fail", "closed", "ticket", "closed", anna="agent_reply", seen="agents: outside"),
    Cell("stranger", "anna's key", "pass", "waiting", "ticket", "open", anna="held", seen="agents: outside"),
    Cell("stranger", "anna's key", "pass", "closed", "ticket", "closed", anna="held", seen="agents: outside"),
    Cell("stranger", "anna's key", "none", "waiting", "ticket", "open", anna="held", seen="agents: outside"),
    Cell("stranger", "anna's key", "none", "closed", "ticket", "closed", anna="held", seen="agents: outside"),
    Cell("stranger", "anna's key", "fail", "waiting", "ticket", "open", ben="agent_event", admin="trouble", seen="agents: outside"),
    Cell("stranger", "anna's key", "fail", "closed", "ticket", "closed", ben="agent_event", admin="trouble", seen="agents: outside"),
    Cell("stranger", "tag", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("stranger", "tag", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("stranger", "tag", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("stranger", "nothing", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("stranger", "nothing", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("stranger", "nothing", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    # A stranger, whose key is void; the admins are told.
    Cell("former agent", "dan's key", "pass", "waiting", "ticket", "open", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "dan's key", "pass", "closed", "ticket", "closed", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "dan's key", "none", "waiting", "ticket", "open", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "dan's key", "none", "closed", "ticket", "closed", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "dan's key", "fail", "waiting", "ticket", "open", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "dan's key", "fail", "closed", "ticket", "closed", anna="agent_reply", admin="trouble", seen="agents: outside"),
    Cell("former agent", "thread key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("former agent", "thread key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("former agent", "thread key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("former agent", "tag", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("former agent", "tag", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("former agent", "tag", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("former agent", "nothing", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("former agent", "nothing", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("former agent", "nothing", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    # An agent in the own queue only: here as anybody.
    Cell("agent elsewhere", "thread key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "thread key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "thread key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "anna's key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "anna's key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "anna's key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("agent elsewhere", "tag", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("agent elsewhere", "tag", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("agent elsewhere", "tag", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("agent elsewhere", "nothing", "pass", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer"),
    Cell("agent elsewhere", "nothing", "none", "waiting", "new", "waiting", writer="acknowledgement", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("agent elsewhere", "nothing", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: unverified"),
    Cell("agent elsewhere", "thread key", "none", "closed", "ticket", "closed", anna="agent_reply", seen="agents: outside"),
    # Nobody may say to be us.
    Cell("the desk", "thread key", "none", "waiting", "quarantined", "waiting", admin="trouble"),
    Cell("the desk", "tag", "none", "waiting", "quarantined", "waiting", admin="trouble"),
    Cell("the desk", "nothing", "none", "waiting", "quarantined", "waiting", admin="trouble"),
    # From names no single person: no rights, no answer.
    Cell("two authors", "anna's key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("two authors", "thread key", "pass", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("two authors", "tag", "pass", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: no single sender"),
    Cell("two authors", "nothing", "pass", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: no single sender"),
    Cell("two authors", "nothing", "fail", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: no single sender"),
    Cell("two authors", "nothing", "none", "waiting", "new", "waiting", anna="agent_new", ben="agent_new", seen="customer: no single sender"),
    Cell("two authors", "anna's key", "fail", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
    Cell("two authors", "anna's key", "none", "waiting", "ticket", "open", anna="agent_reply", seen="agents: outside"),
]  # fmt: skip


def wrote(desk: HostileDesk, cell: Cell) -> bytes:
    """Write the mail of a cell."""
    from_, text = ADDRESSES[cell.who], "#close\nPlease go on.\n"
    said = PROOFS[cell.proof].format(from_.rpartition("@")[2])
    more: Any = verdict(said) if said else {}
    if cell.lead == "tag":
        return desk.mail(from_, text, subject="Re: [SUP-1001] Printer on fire", **more)
    if cell.lead == "nothing":
        return desk.mail(from_, "Please go on.\n", subject="Something else", **more)
    reader = {"thread key": CORAS, "anna's key": ANNAS, "ben's key": BENS, "dan's key": DANS}[cell.lead]
    sent = next(mail for mail in desk.sent_to(reader) if mail["Reply-To"])
    return answer(desk, sent, from_, text, **more)


def came(desk: HostileDesk, cell: Cell) -> Cell:
    """Return what came of a mail, in the form of a cell."""
    desk.cora_is_answered()
    if cell.before == "closed":
        desk.answers(desk.sent_to(ANNAS)[0], ANNAS, "#close\n")
    desk.use(NOW)
    desk.passes(timedelta(hours=3))  # nothing is too new to have been seen
    assert desk.ticket().status == cell.before
    met = desk.meets(wrote(desk, cell))
    writer = ADDRESSES[cell.who]
    others = {CORAS, ANNAS, BENS, ADMIN}
    place = {"on_ticket": "new" if met.is_new else "ticket"}.get(met.state, met.state)
    silence = [kind for kind, *_ in desk.store.views.timers(1001) if kind == TimerKind.SILENCE]
    assert bool(silence) is (desk.ticket().status == "waiting")
    return replace(
        cell, place=place, after=str(desk.ticket().status),
        cora=" ".join(kinds(met, CORAS)), writer="" if writer in others else " ".join(kinds(met, writer)),
        anna=" ".join(kinds(met, ANNAS)), ben=" ".join(kinds(met, BENS)), admin=" ".join(kinds(met, ADMIN)),
        seen=audience(desk, met),
    )  # fmt: skip


def audience(desk: HostileDesk, met: Met) -> str:
    """Who may read the entry of the mail itself, and how it is marked."""
    if not met.ticket or met.state != "on_ticket":
        return ""
    entries = [e for e in desk.entries(met.ticket) if e.kind == "mail_in" and "Please go on." in e.text]
    mark = entries[-1].reason.partition(":")[0].removeprefix("sender ") if entries else ""
    return f"{entries[-1].audience}{': ' if mark else ''}{mark}" if entries else ""


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_what_each_may_do(make: Callable[..., HostileDesk], cell: Cell):
    """The mail's place, the ticket's status and reminders, and every mail that is sent, are those of the table."""
    desk = make(policy=WITH_DAN, authserv_id=SERVER)
    assert came(desk, cell) == cell


@pytest.mark.parametrize(("lead", "proof", "place"), [("anna's key", "none", "held"), ("anna's key", "pass", "ticket"), ("tag", "pass", "ticket"), ("anna's key", "fail", "quarantined")])  # fmt: skip
def test_an_agent_whose_key_is_not_enough(
    make: Callable[..., HostileDesk], lead: str, proof: str, place: str
):
    """`proof = "pass"`, for the careful: the key alone is held, a pass is what counts."""
    desk = make(policy=WITH_DAN, authserv_id=SERVER)
    desk.cora_is_answered()
    desk.use(replace(NOW, agents={**NOW.agents, "anna": replace(ANNA, proof="pass")}))
    met = desk.meets(wrote(desk, Cell("agent", lead, proof, "waiting", "", "")))
    assert {"on_ticket": "ticket"}.get(met.state, met.state) == place
    assert kinds(met, CORAS) == (["closed"] if place == "ticket" else [])


def test_every_who_meets_every_proof():
    """No cell was forgotten: each who is there with a pass, with nothing and with a fail, where it can be."""
    for who in set(ADDRESSES) - {"the desk"}:
        assert {cell.proof for cell in CELLS if cell.who == who} == {"pass", "none", "fail"}
