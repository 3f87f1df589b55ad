"""kill -9 at any moment: nothing is lost, nothing automatic goes out twice."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest

from mailtickets.transport.smtp import CONNECTIONS
from tests.stories.holding_sink import HoldingSink, SlowSink
from tests.support.process import IMAP, DeskProcess, Received

KIM = "Kim Archer <kim@desk.example>"
BURST = 100
ALL = IMAP + 'start_from = "all"'


def test_kill_9_in_a_burst(make_desk: Callable[..., DeskProcess]):
    """Killed again and again in a burst of 100 mails: each is on exactly one ticket, no acknowledgement went out twice."""
    seed = random.randrange(10_000)
    print(f"seed {seed}")
    dice = random.Random(seed)
    desk = make_desk(more="[limits]\nack_per_domain_hour = 0", mailbox=ALL)
    people = [f"c{number}@customer.example" for number in range(BURST)]
    for person in people:
        desk.writes(person, f"{person} has a burning printer.", files={"x.bin": dice.randbytes(3000)})

    ours = f"{desk.user}@".encode()

    def has_sent(more: int) -> bool:
        """So many mails are out; or all are, as those of unknown fate stay here."""
        unsent = {mail["state"] for mail in desk.json("outbox")} & {"queued", "deferred", "sending"}
        return sum(ours in mail.raw for mail in desk.sink.mails) >= more or (
            not unsent and not desk.json("ledger")["waiting"]
        )

    # The first ends lie before and in the first batch; the others are spread over the burst.
    moments: list[Callable[[], bool]] = [
        lambda: " taken " in desk.log,
        lambda: desk.log.count(" on_ticket ") > 0,
        *(lambda more=more: has_sent(more) for more in sorted(dice.sample(range(1, 200), 4))),
    ]
    for moment in moments:
        desk.start(ready=False)
        desk.wait(moment, "the moment to kill", 30)
        desk.kill()
    desk.start()
    books = desk.at_rest(BURST, 60)

    assert (books["on_tickets"], books["unexplained"], books["waiting"]) == (BURST, 0, 0)
    tickets = desk.json("list", "--all", "--limit", "1000")
    assert sorted(ticket["requester"] for ticket in tickets) == sorted(people)
    for ticket in tickets:
        assert desk.kinds(ticket["reference"]).count("mail_in") == 1
    got = Counter(mail.recipients[0] for person in people for mail in desk.to(person))
    assert set(got.values()) <= {1}, "an acknowledgement went out twice"
    uncertain = [mail for mail in desk.json("outbox") if mail["state"] == "uncertain"]
    assert {mail["kind"] for mail in uncertain} <= {"acknowledgement", "agent_new", "trouble"}
    missing = set(people) - set(got)
    assert missing <= {address for mail in uncertain for address in mail["to"]}, (
        "one is neither sent nor listed"
    )
    notices = Counter(mail["Subject"] for mail in desk.to("kim@desk.example"))
    assert set(notices.values()) <= {1}
    desk.wait(lambda: all(r"\Seen" in flags for flags in desk.dovecot.flags(desk.user).values()), "all marks")


@pytest.mark.fault("SMTP after dot", "250 lost, timeout, drop, kill -9")
def test_kill_9_while_the_250_is_on_its_way(make_desk: Callable[..., DeskProcess]):
    """A human answer whose fate is unknown goes out again with the same bytes; an acknowledgement does not and is listed."""
    with HoldingSink() as server:
        desk = make_desk(server=server, mailbox=ALL)
        server.holds = lambda raw: b"auto-replied" in raw
        desk.writes("ana@customer.example", "My printer is on fire.")
        desk.start()
        desk.wait(lambda: server.held == 1, "the acknowledgement to be in the server's hands")
        desk.wait_to("kim@desk.example", 1)
        desk.kill()
        server.let_go()
        desk.start()
        listed = desk.json("outbox")
        assert [(m["state"], m["kind"], m["to"]) for m in listed if m["kind"] == "acknowledgement"] == [
            ("uncertain", "acknowledgement", ["ana@customer.example"])
        ]
        assert len(desk.to("ana@customer.example")) == 1

        notice = desk.wait_to("kim@desk.example", 1)[0]
        server.holds = lambda raw: b"Please try water." in raw and b"ana@customer.example" in raw
        desk.answers(notice, KIM, "Please try water.")
        desk.wait(lambda: server.held == 2, "the answer to be in the server's hands")
        desk.kill()
        server.let_go()
        desk.start()
        first, second = desk.wait_to("ana@customer.example", 3)[1:]
        assert first.raw == second.raw
        desk.at_rest(2)
        assert len(desk.to("ana@customer.example")) == 3
        # The admin may send the acknowledgement once more, the same bytes.
        number = next(str(m["id"]) for m in listed if m["kind"] == "acknowledgement")
        desk.command("outbox", "retry", number)
        again = desk.wait_to("ana@customer.example", 4)[3]
        assert again.raw == desk.to("ana@customer.example")[0].raw
        desk.stop()


@pytest.mark.fault("SMTP up to DATA", "DNS, refused, 4yz, timeout")
@pytest.mark.fault("All steps", "kill -9 at each point for each mail")
@pytest.mark.parametrize("moment", ["mail", "dot"])
def test_kill_9_leaves_in_doubt_only_what_was_on_a_connection(
    make_desk: Callable[..., DeskProcess], moment: str, book
):
    """A server that holds every mail, and a kill: what no connection had goes out at the next start, the others are listed."""
    people = [f"c{number}@customer.example" for number in range(8)]
    with SlowSink() as server:
        desk = make_desk(server=server, mailbox=ALL, more="[limits]\nack_per_domain_hour = 0")
        for person in people:
            desk.writes(person, "My printer is on fire.")
        server.moment = moment
        desk.start()
        desk.wait(
            lambda: server.reached == CONNECTIONS and desk.json("ledger")["waiting"] == 0,
            "all hands to be full",
        )
        states = Counter(mail["state"] for mail in desk.json("outbox"))
        assert states == {"sending": CONNECTIONS, "queued": 3 * len(people) - CONNECTIONS}
        desk.kill()
        server.moment = ""
        desk.start()
        desk.at_rest(len(people), 30)
        listed = desk.json("outbox")
        assert {mail["state"] for mail in listed} == {"uncertain"}
        assert len(listed) == CONNECTIONS
        desk.wait_to("it@desk.example", 1)
        assert "Nobody knows whether 4 automatic mails were sent" in desk.to("it@desk.example")[0].text
        code, words = desk.run("status")
        assert code == 1
        assert "4 mails were perhaps sent and perhaps not" in words
        got = Counter((mail.recipients[0], mail["Subject"]) for mail in map(Received, server.mails))
        assert max(got.values()) == 1
        taken = CONNECTIONS if moment == "dot" else 0
        assert got.total() == 3 * len(people) - CONNECTIONS + taken + 1
        assert desk.stop() == 0
    book(runs=1)
