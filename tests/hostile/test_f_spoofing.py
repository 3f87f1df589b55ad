"""Section F: who claims to be an agent, and whose mail counts as an agent's."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.desk.ticket import Role
from tests.hostile.answers import ADMIN, ANNAS, BENS, SERVER, answer, kinds, verdict
from tests.hostile.desk import ANNA, BEN, CORA, EVE, POLICY, SUPPORT, HostileDesk, Met
from tests.support.desk import SentMail

FROM_ANNA = "Anna Archer <anna@desk.example>"
CORAS = "cora@client.example"
TEXT = "#close\nYour printer is sold.\n"
HOURS, DAYS = timedelta(hours=1), timedelta(days=1)
Make = Callable[..., HostileDesk]


@pytest.fixture
def checked(make: Make) -> HostileDesk:
    """A busy desk whose mail server's verdicts count."""
    desk = make(authserv_id=SERVER)
    desk.cora_is_answered()
    return desk


def notice(desk: HostileDesk, agent: str = ANNAS) -> SentMail:
    """The first notice of SUP-1001 to an agent: with it goes that agent's first key."""
    return desk.sent_to(agent)[0]


def by_tag(desk: HostileDesk, from_: str = FROM_ANNA, text: str = TEXT, **more: Any) -> bytes:
    """A mail that only names the ticket in its subject."""
    return desk.mail(from_, text, subject="Re: [SUP-1001] Printer on fire", **more)


def nothing_happened(desk: HostileDesk) -> None:
    """The customer has what she had, and the ticket waits for her."""
    assert desk.kinds(CORAS) == ["acknowledgement", "answer"]
    assert desk.ticket().status == "waiting"


def is_held(desk: HostileDesk, met: Met) -> SentMail:
    """Nothing was relayed or done; the configured address alone is asked, with a code and no key. Return the question."""
    assert (met.state, met.ticket) == ("held", 1001)
    assert met.customers == set()
    nothing_happened(desk)
    assert kinds(met, ANNAS) == ["held"]
    assert [mail.recipients for mail in met.sent if mail.kind == "held"] == [(ANNAS,)]
    question = met.to(ANNAS)[0]
    assert re.search(r"\[SUP-1001 confirm [A-Z2-9]{4}-[A-Z2-9]{4}\]", question["Subject"])
    assert question["Reply-To"] == ""
    assert question["Auto-Submitted"] == "auto-replied"
    assert b"1001-0-" not in question.raw
    for shown in (question.text, question.html):
        assert "Did you write this?" in shown
        assert "Your printer is sold." in shown
    return question


def is_done_once_confirmed(desk: HostileDesk, question: SentMail) -> None:
    """`yes` does the held mail, once."""
    for _ in range(2):
        desk.answers(question, FROM_ANNA, "yes\n")
        assert desk.kinds(CORAS) == ["acknowledgement", "answer", "closed"]
        assert "Your printer is sold." in desk.last(CORAS).text
        assert desk.ticket().status == "closed"


def is_outside(desk: HostileDesk, met: Met, address: str) -> None:
    """Filed for the agents, nothing relayed or done, the reminders stop, and that address gets nothing."""
    assert (met.state, met.ticket, met.is_new) == ("on_ticket", 1001, False)
    assert met.customers == set()
    assert desk.kinds(CORAS) == ["acknowledgement", "answer"]
    assert desk.ticket().status == "open"
    person = desk.ticket().person(address)
    assert person is not None
    assert person.role is Role.OUTSIDE
    entry = next(e for e in reversed(desk.entries()) if e.kind == "mail_in")
    assert (entry.actor, entry.audience) == (address, "agents")


@pytest.mark.case(79)
@pytest.mark.parametrize("to", [EVE, "undisclosed-recipients:;"])
def test_79_an_agents_signed_mail_to_somebody_else_is_passed_on_to_the_desk(checked: HostileDesk, to: str):
    """A replay: the signature holds, the thread's key is in the delivery only. It is held, and `yes` does it once."""
    key = checked.last(CORAS)["Reply-To"].partition("<")[2].rstrip(">")
    passed: dict[str, Any] = verdict("dkim=pass header.d=desk.example; dmarc=pass header.from=desk.example")
    raw = checked.mail(FROM_ANNA, TEXT, to=to, subject="x", Delivered_To=key, **passed)
    is_done_once_confirmed(checked, is_held(checked, checked.meets(raw)))
    checked.meets(checked.mail(FROM_ANNA, TEXT, to=to, subject="y", Delivered_To=key, **passed))
    told = checked.last(ADMIN).text
    assert "aliases of its [queue]" in " ".join(told.split())
    assert "authserv_id" not in told


@pytest.mark.case(79)
@pytest.mark.parametrize("field", ["to", "cc"])
def test_79_an_agents_signed_mail_that_names_the_desk_acts(checked: HostileDesk, field: str):
    """Also in Cc, and with a queue's address without a key."""
    key = checked.last(CORAS)["Reply-To"].partition("<")[2].rstrip(">")
    passed: dict[str, Any] = verdict("dkim=pass header.d=desk.example; dmarc=pass header.from=desk.example")
    to, cc = ("SUPPORT@desk.example", "") if field == "to" else (CORAS, "Support <SUPPORT@desk.example>")
    checked.meets(checked.mail(FROM_ANNA, TEXT, to=to, cc=cc, subject="x", Delivered_To=key, **passed))
    assert checked.ticket().status == "closed"


@pytest.mark.case(79)
@pytest.mark.parametrize("lead", ["tag", "thread key", "customer's id", "body only"])
@pytest.mark.parametrize("authserv_id", ["", SERVER])
def test_79_an_agents_address_without_any_proof(make: Make, lead: str, authserv_id: str):
    """However it finds the ticket, it is held; a forged Reply-To is asked nothing; yes does it once."""
    desk = make(authserv_id=authserv_id)
    desk.cora_is_answered()
    if lead == "thread key":
        raw = answer(desk, desk.last(CORAS), FROM_ANNA, TEXT, Reply_To=EVE)
    elif lead == "customer's id":
        raw = desk.mail(FROM_ANNA, TEXT, subject="x", In_Reply_To=desk.entries()[0].message_id, Reply_To=EVE)
    elif lead == "tag":
        raw = by_tag(desk, Reply_To=EVE)
    else:
        raw = by_tag(desk, FROM_ANNA, TEXT + "\n> Ref: a1-1001-0-anna\n", Reply_To=EVE)
    is_done_once_confirmed(desk, is_held(desk, desk.meets(raw)))


@pytest.mark.case(79)
def test_79_without_a_ticket_it_opens_one_and_nothing_else(busy: HostileDesk):
    """It names nothing of ours: a ticket in anna's own name, without an acknowledgement, and no command of it is done."""
    met = busy.meets(busy.mail(FROM_ANNA, "My own printer burns.\n", subject="Printer"))
    assert (met.state, met.is_new) == ("on_ticket", True)
    assert busy.ticket(met.ticket).requester == ANNAS
    assert "acknowledgement" not in kinds(met, ANNAS)
    nothing_happened(busy)
    met = busy.meets(busy.mail(FROM_ANNA, TEXT, subject="Printer"))
    assert (met.state, kinds(met, ANNAS)) == ("ignored", ["not_sent"])
    nothing_happened(busy)


@pytest.mark.case(79)
def test_79_from_an_alias_the_configured_address_is_asked(make: Make):
    """Not the address that the mail came from."""
    agents = {"anna": replace(ANNA, aliases=("archer@home.example",)), "ben": BEN}
    desk = make(policy=replace(POLICY, agents=agents))
    desk.cora_is_answered()
    met = desk.meets(by_tag(desk, "archer@home.example"))
    is_held(desk, met)
    assert met.to("archer@home.example") == []


@pytest.mark.case(80)
@pytest.mark.parametrize(
    "field",
    [
        "evil.example; dmarc=pass header.from=desk.example",
        "mx.desk.example.evil.example; dmarc=pass header.from=desk.example",
        "evil.example (mx.desk.example); dmarc=pass; dkim=pass header.d=desk.example",
    ],
)
@pytest.mark.parametrize("authserv_id", ["", SERVER])
def test_80_results_of_a_foreign_server(make: Make, field: str, authserv_id: str):
    """Its word is none: held as without."""
    desk = make(authserv_id=authserv_id)
    desk.cora_is_answered()
    is_held(desk, desk.meets(by_tag(desk, Authentication_Results=field)))


@pytest.mark.case(82)
def test_82_our_servers_name_while_the_admin_named_none(busy: HostileDesk):
    """Anybody can write that header: held as without."""
    is_held(busy, busy.meets(by_tag(busy, **verdict("dmarc=pass header.from=desk.example"))))


@pytest.mark.case(83)
@pytest.mark.parametrize(
    "words",
    [
        "dkim=pass header.d=evil.example; spf=pass smtp.mailfrom=evil.example",
        "dkim=pass header.d=example; spf=pass smtp.mailfrom=desk.example",
        "dkim=pass header.d=notdesk.example",
        "dkim=pass header.d=desk.example.evil.example",
        "dmarc=pass header.from=evil.example",
        "spf=pass smtp.mailfrom=anna@desk.example",
        "spf=pass (dmarc=pass header.from=desk.example)",
    ],
)
def test_83_passes_of_another_domain(checked: HostileDesk, words: str):
    """Not aligned with From. Held as without proof, since the design sets aside only what is contradicted."""
    is_held(checked, checked.meets(by_tag(checked, **verdict(words))))


@pytest.mark.case(85)
@pytest.mark.parametrize("order", ["anna first", "eve first", "one field", "group"])
@pytest.mark.parametrize("keyed", [True, False])
def test_85_a_pass_for_two_authors(checked: HostileDesk, order: str, *, keyed: bool):
    """Ambiguous goes first: no rights, also not with anna's key, and no answer to anybody."""
    raw = answer(checked, notice(checked), FROM_ANNA, TEXT) if keyed else by_tag(checked)
    both = {
        "anna first": b"From: anna@desk.example\nFrom: eve@evil.example",
        "eve first": b"From: eve@evil.example\nFrom: anna@desk.example",
        "one field": b"From: anna@desk.example, eve@evil.example",
        "group": b"From: Team: anna@desk.example, eve@evil.example;",
    }[order]
    field = f"Authentication-Results: {SERVER}; dmarc=pass header.from=desk.example\n".encode()
    met = checked.meets(field + raw.replace(b"From: Anna Archer <anna@desk.example>", both))
    assert met.state == "on_ticket"
    assert met.customers == set()
    assert checked.kinds(CORAS) == ["acknowledgement", "answer"]
    assert checked.ticket().status == (
        "open" if keyed else "waiting"
    )  # filed as from outside, or a ticket of its own
    assert met.is_new is not keyed
    read = next(e for e in checked.entries(met.ticket) if "Your printer is sold." in e.text)
    assert (read.kind, read.audience) == ("mail_in", "agents" if keyed else "customer")


@pytest.mark.case(88)
@pytest.mark.parametrize("lead", ["tag", "id", "number"])
def test_88_a_key_belongs_to_one_ticket(busy: HostileDesk, lead: str):
    """Led to SUP-1002 by anything else, the key of SUP-1001 does nothing there. By the design the key leads to its own
    ticket, and acts there only; with the other number written into it, it is no key, and the mail is held.
    """
    busy.writes("dora@other.example", "Mine is wet.", subject="Scanner")
    other = busy.ticket(1002)
    key = notice(busy)["Reply-To"].partition("+")[2].partition("@")[0]
    subject = "Re: [SUP-1002] Scanner"
    if lead == "number":
        forged = f"support+{key.replace('-1001-', '-1002-')}@desk.example"
        met = busy.meets(busy.mail(FROM_ANNA, TEXT, subject=subject, to=forged))
        assert (met.state, met.ticket) == ("held", 1002)
        assert kinds(met, ANNAS) == ["held"]
        nothing_happened(busy)
    else:
        ids: Any = {}
        if lead == "id":
            ids = {"In_Reply_To": busy.last("dora@other.example")["Message-ID"].replace("t1-1002", "x")}
        met = busy.meets(busy.mail(FROM_ANNA, TEXT, subject=subject, to=f"support+{key}@desk.example", **ids))
        assert (met.ticket, busy.ticket().status) == (1001, "closed")
    assert "dora@other.example" not in met.customers
    assert busy.ticket(1002).status == other.status
    assert busy.ticket(1002).assignee == other.assignee


@pytest.mark.case(89)
@pytest.mark.parametrize(("days", "good"), [(59, True), (61, False)])
def test_89_an_expired_key(busy: HostileDesk, days: int, *, good: bool):
    """Sixty days after closing: held, and the question says why; before that it is anna's."""
    first = notice(busy)
    busy.answers(first, FROM_ANNA, "#close\n")
    busy.lives(timedelta(days=days), DAYS)
    met = busy.meets(answer(busy, first, FROM_ANNA, "Does it still work?\n"))
    assert (met.state == "on_ticket") is good
    assert (kinds(met, CORAS) == ["answer"]) is good
    if not good:
        assert (met.state, kinds(met, ANNAS)) == ("held", ["held"])
        assert "has expired (60 days after closing)" in " ".join(met.to(ANNAS)[0].text.split())
        busy.answers(met.to(ANNAS)[0], FROM_ANNA, "yes\n")
        assert busy.last(CORAS).kind == "answer"


@pytest.mark.case(91)
@pytest.mark.parametrize("field", ["to", "cc"])
@pytest.mark.parametrize("other", [CORA, "eve@evil.example"])
def test_91_an_agent_answers_to_all(busy: HostileDesk, field: str, other: str):
    """Whoever has it already gets no second copy; the key was seen by others, so it is replaced and the old one held."""
    first = notice(busy)
    to = first["Reply-To"]
    more: Any = {"to": f"{to}, {other}"} if field == "to" else {"cc": other}
    met = busy.meets(answer(busy, first, FROM_ANNA, "And sand.\n", **more))
    assert met.state == "on_ticket"
    assert kinds(met, CORAS) == ([] if other == CORA else ["answer"])
    assert met.to(EVE) == []
    assert "mail_out" in busy.history()
    assert "key_replaced" in busy.history()
    met = busy.meets(answer(busy, first, FROM_ANNA, TEXT))
    assert (met.state, met.customers) == ("held", set())
    assert "was replaced, because others had seen it" in " ".join(met.to(ANNAS)[0].text.split())
    busy.answers(busy.last(CORAS), CORA, "It is out.\n")
    fresh = busy.last(ANNAS)
    assert fresh["Reply-To"] != to
    met = busy.meets(answer(busy, fresh, FROM_ANNA, "Good.\n"))
    assert kinds(met, CORAS) == ["answer"]


@pytest.mark.case(91)
def test_91_colleagues_and_our_own_addresses_are_no_others(busy: HostileDesk):
    """Ben in Cc, and the support address beside it: the key stays good."""
    first = notice(busy)
    busy.meets(answer(busy, first, FROM_ANNA, "And sand.\n", cc=f"{BENS}, support@desk.example"))
    met = busy.meets(answer(busy, first, FROM_ANNA, "And earth.\n"))
    assert kinds(met, CORAS) == ["answer"]


def without_anna() -> Any:
    """The configuration without anna."""
    return replace(POLICY, agents={"ben": BEN}, queues={"support": replace(SUPPORT, agents=("ben",))})


@pytest.mark.case(92)
@pytest.mark.parametrize(
    "words", ["", "dmarc=pass header.from=desk.example", "dmarc=fail header.from=desk.example"]
)
def test_92_a_former_agent_answers_an_old_notice(make: Make, words: str):
    """No rights, whatever is proven: filed as from outside, nobody is asked, the admins are told once, and how to go on."""
    desk = make(authserv_id=SERVER if words else "")
    desk.cora_is_answered()
    first = notice(desk)
    field: Any = verdict(words) if words else {}
    desk.use(without_anna())
    for number in range(2):
        met = desk.meets(answer(desk, first, FROM_ANNA, f"{TEXT}{number}\n", **field))
        is_outside(desk, met, ANNAS)
        assert met.to(ANNAS) == []
        assert "Your printer is sold." in met.to(BENS)[-1].text
        desk.passes(2 * HOURS)
    assert desk.kinds(ADMIN) == ["trouble"]
    told = " ".join(desk.last(ADMIN).text.split())
    assert "A mail with the reply key of anna, who is no agent any more" in told
    assert "the key gives no rights" in told
    assert desk.books().held == 0


@pytest.mark.case(92)
def test_92_a_former_agents_confirmation_and_tag_are_anybodys(busy: HostileDesk):
    """A question that was open when anna left: her yes does nothing. A tag alone opens a ticket, as for any stranger."""
    question = busy.meets(by_tag(busy)).to(ANNAS)[0]
    busy.use(without_anna())
    met = busy.meets(answer(busy, question, FROM_ANNA, "yes\n"))
    assert CORAS not in met.customers
    assert busy.kinds(CORAS) == ["acknowledgement", "answer"]
    met = busy.meets(by_tag(busy))
    assert met.is_new
    assert kinds(met, ANNAS) == ["acknowledgement"]
    busy.lives(4 * DAYS, 6 * HOURS)
    assert "not_sent" not in busy.kinds(ANNAS)
