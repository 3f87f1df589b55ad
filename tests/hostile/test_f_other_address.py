"""Section F, case 86: an agent's reply key in a mail from an address that is not the agent's.

By the design no mail makes an agent: it is filed as from outside at once, the key is replaced, and the agent is warned by
the question whether they wrote it. `yes` does that one mail; anything else leaves it as it is filed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.desk.ticket import Role
from tests.hostile.answers import ADMIN, ANNAS, BENS, SERVER, answer, kinds, verdict
from tests.hostile.desk import CORA, EVE, HostileDesk, Met
from tests.support.desk import SentMail

FROM_ANNA = "Anna Archer <anna@desk.example>"
CORAS = "cora@client.example"
TEXT = "#close\nYour printer is sold.\n"
HOURS, DAYS = timedelta(hours=1), timedelta(days=1)


def notice(desk: HostileDesk) -> SentMail:
    """The first notice of SUP-1001 to anna: with it goes her first key."""
    return desk.sent_to(ANNAS)[0]


def from_elsewhere(desk: HostileDesk, from_: str = "anna@home.example", text: str = TEXT, **more: Any) -> Met:
    """Somebody answers anna's present notice from an address that the desk does not know."""
    latest = next(m for m in reversed(desk.sent_to(ANNAS)) if m["Reply-To"] and "[SUP-1001]" in m["Subject"])
    return desk.meets(answer(desk, latest, from_, text, **more))


def is_outside(desk: HostileDesk, met: Met, address: str = "anna@home.example") -> None:
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


@pytest.mark.case(86)
@pytest.mark.parametrize("words", ["", "dmarc=pass header.from=evil.example"])
def test_86_an_agents_key_from_a_stranger(make: Callable[..., HostileDesk], words: str):
    """No agent's mail: filed as from outside; anna is warned and asked, her key is replaced, `no` changes nothing."""
    desk = make(authserv_id=SERVER if words else "")
    desk.cora_is_answered()
    met = from_elsewhere(desk, EVE, **(verdict(words) if words else {}))
    is_outside(desk, met, EVE)
    assert kinds(met, ANNAS) == ["held"]
    question = met.to(ANNAS)[0]
    said = " ".join(question.text.split())
    assert "It holds your reply key for SUP-1001, but eve@evil.example is no address of yours" in said
    assert "Whoever wrote it has seen your reply key, so you get a new one" in said
    assert desk.store.tickets.generation(1001, "anna") == 1
    desk.answers(question, FROM_ANNA, "no\n")
    assert desk.kinds(CORAS) == ["acknowledgement", "answer"]
    fresh = desk.last(ANNAS)
    assert "stays filed as written by somebody outside" in " ".join(fresh.text.split())
    met = desk.meets(answer(desk, notice(desk), FROM_ANNA, "With the old key.\n"))
    assert met.state == "held"
    met = desk.meets(answer(desk, fresh, FROM_ANNA, "With the new key.\n"))
    assert kinds(met, CORAS) == ["answer"]
    assert (desk.books().held, desk.books().unexplained, desk.books().waiting) == (1, 0, 0)


@pytest.mark.case(86)
def test_86_the_agent_wrote_from_elsewhere_and_says_so(busy: HostileDesk):
    """`yes` does this one mail with anna's rights; the admins are told of the alias; the address stays unknown to the customer."""
    met = from_elsewhere(busy)
    is_outside(busy, met)
    assert busy.kinds(ADMIN) == []
    busy.answers(met.to(ANNAS)[0], FROM_ANNA, "Yes.\n")
    assert busy.kinds(CORAS) == ["acknowledgement", "answer", "closed"]
    sent = busy.last(CORAS)
    assert "Your printer is sold." in sent.text
    assert b"home.example" not in sent.raw
    assert b"anna@desk.example" not in sent.raw
    assert "Anna Archer (Acme Support)" in sent["From"]
    assert busy.ticket().status == "closed"
    told = " ".join(busy.last(ADMIN).text.split())
    assert "Anna Archer also writes from anna@home.example" in told
    assert '[agent.anna]: "anna@home.example"' in told
    assert (busy.books().held, busy.books().unexplained, busy.books().waiting) == (0, 0, 0)
    again = from_elsewhere(busy, text="One more thing.\n")
    assert again.customers == set()  # once is once


@pytest.mark.case(86)
@pytest.mark.parametrize("by", ["reload", "restart"])
def test_86_the_alarm_about_an_alias_ends_with_the_alias(busy: HostileDesk, by: str):
    """Once the address is in the configuration nothing is wrong any more, and the admins hear it; another one changes nothing."""
    busy.answers(from_elsewhere(busy).to(ANNAS)[0], FROM_ANNA, "Yes.\n")
    for address, ends in (("anna@other.example", False), ("anna@home.example", True)):
        anna = replace(busy.policy.agents["anna"], aliases=(address,))
        busy.policy = replace(busy.policy, agents={**busy.policy.agents, "anna": anna})
        busy.use(busy.policy) if by == "reload" else busy.restart()
        busy.run()
        assert (busy.store.alarms.get("alias anna anna@home.example") is None) is ends
        assert (busy.last(ADMIN).kind == "recovered") is ends


@pytest.mark.case(86)
def test_86_the_address_in_the_text_and_the_html_of_a_confirmed_mail(busy: HostileDesk):
    """What the agent's other mail program writes into the signature is taken out like the configured address."""
    latest = notice(busy)
    html = (
        f"From: Anna <anna@home.example>\nTo: {latest['Reply-To']}\nSubject: Re: {latest['Subject']}\nMessage-ID: <h@home.example>\n"
        "MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"
        '<p>Try sand.</p><p>Write to <a href="mailto:anna@home.example">anna@home.example</a></p><script>x</script><img src="http://t.example/p">'
    )
    met = busy.meets(html.encode())
    question = met.to(ANNAS)[0]
    assert "<script" not in question.html
    assert "t.example" not in question.html
    assert "Try sand." in question.html
    busy.answers(question, FROM_ANNA, "yes\n")
    sent = busy.last(CORAS)
    assert "Try sand." in sent.text
    assert b"home.example" not in sent.raw
    assert "home.example" not in sent.html


@pytest.mark.case(86)
def test_86_nobody_confirms(busy: HostileDesk):
    """After three working days the question ends: the mail stays where it is, nothing is sent, a late yes does nothing."""
    met = from_elsewhere(busy)
    question = met.to(ANNAS)[0]
    before = len(busy.sent)
    busy.lives(4 * DAYS, HOURS)
    assert [mail for mail in busy.sent[before:] if "next" not in mail.recipients[0]] == []
    assert busy.history().count("dropped") == 1
    met = busy.meets(answer(busy, question, FROM_ANNA, "yes\n"))
    assert met.customers == set()
    assert kinds(met, ANNAS) == ["not_sent"]
    assert busy.ticket().status == "open"
    assert busy.books().unexplained == 0


@pytest.mark.case(86)
@pytest.mark.parametrize(
    ("who", "text"),
    [
        ("stranger", "yes\n"),
        ("ben", "yes\n"),
        ("cora", "yes\n"),
        ("elsewhere", "yes\n"),
        ("machine", "yes\n"),
        ("unclear", "What is this about, please?\n"),
    ],
)
def test_86_only_the_agent_confirms(busy: HostileDesk, who: str, text: str):
    """The code from anybody else, from a machine, or with other words does nothing; the question stays open."""
    question = from_elsewhere(busy).to(ANNAS)[0]
    from_ = {"stranger": EVE, "ben": BENS, "cora": CORA, "elsewhere": "anna@home.example"}.get(who, FROM_ANNA)
    more: Any = {"Auto_Submitted": "auto-replied"} if who == "machine" else {}
    met = busy.meets(answer(busy, question, from_, text, **more))
    assert met.customers == set()
    assert busy.kinds(CORAS) == ["acknowledgement", "answer"]
    if who == "elsewhere":
        assert kinds(met, ANNAS) == ["agent_reply"]  # she hears that it counted as a stranger's
    if who == "unclear":
        assert kinds(met, ANNAS) == ["held"]
        assert "anna@home.example" in met.to(ANNAS)[0].text
    busy.answers(question, FROM_ANNA, "yes\n")
    if who == "cora":  # her mail came between: anna is asked once more
        assert busy.last(ANNAS).kind == "leak"
    else:
        assert busy.kinds(CORAS)[-1] == "closed"


@pytest.mark.case(86)
def test_86_two_agents_codes_from_a_stranger_are_two_alarms(busy: HostileDesk):
    """Within the hour the second one is told as well."""
    key = from_elsewhere(busy).to(ANNAS)[0]
    busy.meets(answer(busy, key, EVE, "yes\n"))
    claimed = busy.meets(answer(busy, busy.last(ANNAS), "Ben Baker <ben@desk.example>", "#close\n"))
    busy.meets(answer(busy, claimed.to(BENS)[0], EVE, "yes\n"))
    told = [" ".join(mail.text.split()) for mail in busy.sent_to(ADMIN)]
    assert [
        f"A confirmation code for {who} came from" in text
        for who, text in zip(("anna", "ben"), told, strict=True)
    ] == [True, True]


@pytest.mark.case(86)
def test_86_a_confirmed_answer_may_still_tell_too_much(busy: HostileDesk):
    """The leak guard asks about it in its turn, and SEND sends it as anna's."""
    busy.answers(busy.last(CORAS), CORA, "It is out now.\n")
    latest = notice(busy)
    met = busy.meets(answer(busy, latest, "anna@home.example", "Try sand.\n"))
    busy.answers(met.to(ANNAS)[0], FROM_ANNA, "yes\n")
    leak = busy.last(ANNAS)
    assert leak.kind == "leak"
    told = " ".join(busy.last(ADMIN).text.split())
    assert "confirmed at anna@desk.example that a mail from there is theirs: it counts as theirs." in told
    busy.answers(leak, FROM_ANNA, "SEND\n")
    assert busy.last(CORAS).kind == "answer"
    assert "Try sand." in busy.last(CORAS).text
    assert busy.books().held == 0


@pytest.mark.case(86)
@pytest.mark.parametrize(
    "more",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated"},
        {"Return_Path": "<>"},
        {"X_Autoreply": "yes"},
        {"subject": "Automatic reply: [SUP-1001] Printer on fire"},
        {"Precedence": "bulk"},
        {"List_Id": "<home.example>"},
        {"X_Auto_Response_Suppress": "All"},
    ],
)
def test_86_a_machine_behind_the_agents_mailbox_is_never_asked_about(busy: HostileDesk, more: dict[str, str]):
    """Anna's notices are handed on to a mailbox that answers by itself: no question, and no new notice to anna."""
    met = from_elsewhere(busy, text="I am on holiday.\n", **more)
    assert met.state == "on_ticket"
    assert kinds(met, ANNAS) == []
    assert met.customers == set()
    nothing = busy.kinds(CORAS)
    assert nothing == ["acknowledgement", "answer"]


@pytest.mark.case(86)
@pytest.mark.parametrize("both", [False, True])
def test_86_a_machine_without_any_sign_ends_soon(busy: HostileDesk, *, both: bool):
    """It answers whatever reaches anna (and another one whatever reaches ben), for ever: few mails come of it."""
    robots = {ANNAS: "anna@home.example", **({BENS: "ben@home.example"} if both else {})}
    busy.with_queue(notify="all")
    seen = dict.fromkeys(robots, 0)
    busy.answers(busy.last(CORAS), CORA, "It is out now.\n")
    for _ in range(60):
        for agent, robot in robots.items():
            for mail in busy.sent_to(agent)[seen[agent] :]:
                seen[agent] += 1
                busy.answers(mail, robot, "I am away until Monday.\n", quote=False)
        if all(seen[agent] == len(busy.sent_to(agent)) for agent in robots):
            break
    else:
        pytest.fail("the machines still answer each other")
    assert sum(seen.values()) < 150
    assert busy.kinds(CORAS) == ["acknowledgement", "answer"]


@pytest.mark.case(86)
def test_86_at_most_twenty_questions_a_day(busy: HostileDesk):
    """A flood with anna's keys from elsewhere: she is asked twenty times, then the admins hear of it, and nobody else."""
    for number in range(22):
        busy.passes(HOURS / 12)
        busy.writes(CORA, f"Printer {number} burns.", subject=f"Printer {number}")
    mails = [m for m in busy.sent_to(ANNAS) if m.kind == "agent_new"]
    before = len(busy.sent_to(ANNAS))
    for mail in mails[1:]:
        busy.answers(mail, "anna@home.example", "It is me.\n")
    new = [mail.kind for mail in busy.sent_to(ANNAS)[before:]]
    assert new.count("held") == 20
    told = " ".join(busy.last(ADMIN).text.split())
    assert "there were 20 such questions within a day" in told
    busy.passes(25 * HOURS)
    busy.writes(CORA, "Yet another one.", subject="Printer")
    busy.answers(busy.last(ANNAS, "agent_new"), "anna@home.example", "It is me.\n")
    assert busy.last(ANNAS).kind == "held"


@pytest.mark.case(86)
def test_86_ben_with_annas_key_is_asked_himself(busy: HostileDesk):
    """An agent's own address without an own key is held for that agent, and anna's key is replaced."""
    met = busy.meets(answer(busy, notice(busy), BENS, TEXT))
    assert (met.state, kinds(met, BENS), kinds(met, ANNAS)) == ("held", ["held"], [])
    assert busy.store.tickets.generation(1001, "anna") == 1


@pytest.mark.case(86)
def test_86_a_participant_with_annas_key_is_a_customer(busy: HostileDesk):
    """Cora has seen it, perhaps because anna answered to all: a reply like any, the key is replaced, nobody is asked."""
    met = busy.meets(answer(busy, notice(busy), CORA, "#close\nIt is out.\n"))
    assert (met.ticket, busy.ticket().status) == (1001, "open")
    assert kinds(met, ANNAS) == ["agent_reply"]
    assert busy.store.tickets.generation(1001, "anna") == 1


@pytest.mark.case(86)
def test_86_a_key_that_stands_beside_another_is_seen_too(busy: HostileDesk):
    """Cora answers her own mail and quotes anna's notice below: anna's key is replaced, although cora's led the way."""
    quoted = "\n".join(f"> {line}" for line in notice(busy).text.split("\n"))
    busy.meets(answer(busy, busy.last(CORAS), CORA, f"It is out.\n\n{quoted}\n"))
    assert busy.store.tickets.generation(1001, "anna") == 1


@pytest.mark.case(86)
def test_86_an_old_key_makes_no_new_one_void(busy: HostileDesk):
    """Eve writes with the key that was replaced, again and again: anna's present one stays good, and she is asked once."""
    first = notice(busy)
    busy.meets(answer(busy, first, EVE, "One.\n"))
    for text in ("Two.\n", "Three.\n"):
        met = busy.meets(answer(busy, first, EVE, text))
        assert kinds(met, ANNAS) == ["agent_reply"]
    assert busy.store.tickets.generation(1001, "anna") == 1
    assert busy.kinds(ANNAS).count("held") == 1


@pytest.mark.case(86)
def test_86_an_admin_who_lets_a_mail_in_gives_nobodys_rights(busy: HostileDesk):
    """Spam with anna's key, released from quarantine: filed as from outside, anna reads it, nobody is asked."""
    number = len(busy.copies()) + 1
    met = busy.meets(answer(busy, notice(busy), EVE, TEXT, X_Spam_Flag="YES"))
    assert (met.state, met.sent) == ("quarantined", ())
    before = len(busy.sent)
    with busy.store.transaction():
        assert busy.store.ledger.release(number)
    busy.run()
    assert [mail.kind for mail in busy.sent[before:]] == ["agent_reply"]
    assert busy.kinds(CORAS) == ["acknowledgement", "answer"]
    assert busy.ticket().status == "open"
