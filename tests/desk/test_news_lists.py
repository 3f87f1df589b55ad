"""Many notices at once: one agent gets a list, no ticket is forgotten, nobody hears of what is not theirs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.agreement import Rule, TicketType
from mailtickets.desk.ticket import Decision, Forget
from mailtickets.transport.fate import Deferred, Rejected, Sent, Uncertain
from tests.support.desk import POLICY, Desk
from tests.support.leftovers import leftovers

MINUTE = timedelta(minutes=1)
KIM = "kim@desk.example"


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, replace(POLICY, limits=replace(POLICY.limits, notices_per_agent=3, ack_per_hour=0)))
    yield made
    made.close()


def opened(desk, count, **more):
    """Let so many people write at once."""
    for number in range(count):
        desk.writes(f"p{number}@c{number}.example", f"It burns {number}.", subject=f"Fire {number}", **more)


def test_past_the_limit_the_others_come_as_one_numbered_list(desk):
    """Three by themselves; the list follows at the full ten minutes, names each once, and has no reply key."""
    opened(desk, 8)
    assert desk.kinds(KIM) == ["agent_new"] * 3
    desk.passes(10 * MINUTE)
    news = desk.last(KIM, "news")
    assert desk.kinds(KIM) == [*["agent_new"] * 3, "news"]
    assert [f"{n}. SUP-{1003 + n}: Fire {2 + n}" in news.text for n in range(1, 6)] == [True] * 5
    assert "It burns 7." in news.text
    assert "mailto:support@desk.example?subject=%5BSUP-1004%5D%20Fire%203" in news.html
    assert not desk.rules().reading.ring.read(news.raw.decode(), "anywhere")
    desk.lives(60 * MINUTE)
    assert desk.kinds(KIM).count("news") == 1


def test_news_of_one_ticket_are_one_line(desk):
    """A ticket that is new and was written to again stands once, with how often."""
    opened(desk, 4)
    for _ in range(2):
        desk.answers(desk.sent_to("p3@c3.example")[0], "p3@c3.example", "It still burns.")
    desk.passes(10 * MINUTE)
    text = desk.last(KIM, "news").text
    assert text.count("SUP-1004: Fire 3") == 1
    assert "new, and 2 more" in text
    assert "It still burns." in text


def test_after_ten_quiet_minutes_notices_come_by_themselves_again(desk):
    """The limit is one of ten minutes; while more than that keep coming, they are listed."""
    opened(desk, 5)
    desk.passes(5 * MINUTE)
    desk.writes("late@late.example", "Me too.")
    assert desk.kinds(KIM) == ["agent_new"] * 3
    desk.passes(20 * MINUTE)
    desk.writes("later@later.example", "Me as well.")
    assert desk.kinds(KIM)[-1] == "agent_new"


def test_the_highest_priority_is_never_listed(tmp_path):
    """P1 comes by itself, however many there are."""
    rule = Rule(1, "fires", subject=("fire",), set_priority="P1")
    limits = replace(POLICY.limits, notices_per_agent=2)
    desk = Desk(tmp_path, replace(POLICY, rules=(rule,), limits=limits))
    opened(desk, 6)
    assert desk.kinds(KIM) == ["agent_new"] * 6
    desk.close()


def test_a_restart_neither_forgets_the_list_nor_the_limit(desk):
    """What is listed is in the store, and what was sent counts."""
    opened(desk, 4)
    desk.restart()
    desk.writes("late@late.example", "Me too.")
    desk.passes(10 * MINUTE)
    assert desk.kinds(KIM) == [*["agent_new"] * 3, "news"]
    assert "SUP-1004" in desk.last(KIM).text
    assert "SUP-1005" in desk.last(KIM).text


def test_a_long_list_goes_on_in_the_next_one(desk, monkeypatch):
    """So many lines in a mail; the others ten minutes later."""
    monkeypatch.setattr("mailtickets.listing.LINES", 4)
    opened(desk, 9)
    desk.passes(10 * MINUTE)
    assert "2 more tickets are in the next list" in " ".join(desk.last(KIM).text.split())
    desk.passes(10 * MINUTE)
    texts = [mail.text for mail in desk.sent_to(KIM) if mail.kind == "news"]
    assert [sum(f"SUP-{n}:" in text for n in range(1001, 1010)) for text in texts] == [4, 2]


def test_who_may_not_see_a_ticket_any_more_is_not_told(desk):
    """Between listing and telling lee left the queue, and kim is no agent any more."""
    opened(desk, 5)
    queue = replace(POLICY.queues["support"], agents=("lee",))
    lee = {"lee": POLICY.agents["lee"]}
    desk.use(replace(desk.policy, queues={"support": queue}, agents=lee))
    desk.passes(10 * MINUTE)
    assert desk.kinds(KIM) == ["agent_new"] * 3
    assert desk.kinds("lee@desk.example")[-1] == "news"


def test_the_admins_are_told_once_and_when_it_is_over(desk):
    """The alarm names the limit and what to do; it ends with the last list."""
    opened(desk, 8)
    told = desk.last("it@desk.example")
    assert "notices_per_agent" in " ".join(told.text.split())
    desk.passes(10 * MINUTE)
    assert desk.kinds("it@desk.example") == ["trouble", "recovered"]


def test_zero_is_no_limit(desk):
    """Every notice comes by itself."""
    desk.use(replace(POLICY, limits=replace(POLICY.limits, notices_per_agent=0)))
    opened(desk, 30)
    assert desk.kinds(KIM) == ["agent_new"] * 30


def test_an_agents_mail_with_the_tag_of_a_listed_ticket_reaches_it(desk):
    """Without proof the agent is asked to confirm, and the answer then goes to the customer."""
    opened(desk, 4)
    desk.writes("Kim Archer <kim@desk.example>", "Use water.", subject="[SUP-1004] Fire 3")
    question = desk.last(KIM, "held")
    desk.writes("Kim Archer <kim@desk.example>", "yes", subject=f"Re: {question['Subject']}")
    assert "Use water." in desk.last("p3@c3.example").text


def test_a_list_that_cannot_be_sent_is_kept_in_the_outbox(desk):
    """It is a mail like any other."""
    opened(desk, 5)
    desk.fate = lambda _mail: Deferred("later")
    desk.passes(10 * MINUTE)
    desk.fate = lambda _mail: Sent()
    desk.passes(10 * MINUTE)
    assert desk.kinds(KIM).count("news") == 1


def test_what_strangers_write_is_harmless_in_the_list(desk):
    """Markup stays words, in the text, the page and the link."""
    opened(desk, 3)
    desk.writes(
        '"<i>Eve</i>" <eve@evil.example>', "<script>x</script>\n\nRef: none", subject='"><script>y</script>'
    )
    desk.passes(10 * MINUTE)
    news = desk.last(KIM, "news")
    assert "<script>" not in news.html
    assert "%22%3E%3Cscript%3Ey" in news.html
    assert "&lt;script&gt;x&lt;/script&gt; Ref: none" in " ".join(news.html.split())


def told(desk):
    """Numbers of the tickets that Kim's lists told of."""
    text = " ".join(mail.text for mail in desk.sent_to(KIM) if mail.kind == "news")
    return [number for number in range(1001, 1009) if f"SUP-{number}:" in text]


def erased(desk, address):
    """Let an admin erase somebody."""
    with desk.store.transaction():
        order = Forget(address, None, None, "", "it@desk.example")
        desk.line._recorder.record(Decision(forget=order), None, None)


@pytest.mark.parametrize("fate", [Deferred("later"), Uncertain("no answer")])
def test_who_is_erased_takes_nobody_else_off_a_list(desk, fate):
    """A list that was not sent yet names the person: it is taken back, and a new one tells of the others."""
    opened(desk, 8)
    desk.fate = lambda mail: fate if mail.kind == "news" else Sent()
    desk.passes(10 * MINUTE)
    erased(desk, "p5@c5.example")
    desk.fate = lambda _mail: Sent()
    desk.lives(60 * MINUTE)
    assert told(desk) == [1004, 1005, 1007, 1008]
    news = desk.last(KIM, "news").text
    assert news.count("new") >= 4
    assert "c5.example" not in news
    assert "It burns 7." in news
    held = [
        place for place in leftovers(desk.store.path, "p5@c5.example") if not place.startswith("desk.db-wal")
    ]
    assert held == []


def test_what_an_erased_person_would_be_told_is_forgotten(tmp_path):
    """Somebody on a route is no agent, and their address stands in the list of news."""
    kind = TicketType("incident", route=("queue", "boss@elsewhere.example"))
    policy = replace(
        POLICY, types={**POLICY.types, "incident": kind}, rules=(Rule(1, "fires", subject=("fire",), set_type="incident"),),
        limits=replace(POLICY.limits, notices_per_agent=1),
    )  # fmt: skip
    desk = Desk(tmp_path, policy)
    opened(desk, 3)
    waiting = "SELECT count(*) FROM news WHERE address = ?"
    boss = ("boss@elsewhere.example",)
    assert desk.store._connection.execute(waiting, boss).fetchone()[0] == 2
    erased(desk, *boss)
    assert desk.store._connection.execute(waiting, boss).fetchone()[0] == 0
    assert desk.store._connection.execute(waiting, (KIM,)).fetchone()[0] == 2, "the others are still told"
    desk.close()


def test_a_list_that_is_refused_is_told_again_but_not_for_ever(desk):
    """The admins hear that Kim hears nothing; three more lists in two days, then no more of them."""
    opened(desk, 5)
    desk.fate = lambda mail: (
        Rejected(550, "looks like spam") if mail.kind == "news" and KIM in mail.recipients else Sent()
    )
    desk.passes(10 * MINUTE)
    alarm = desk.last("it@desk.example", "trouble")
    said = " ".join(alarm.text.split())
    assert "A list of news of tickets to kim@desk.example could not be sent" in said
    assert "What is on it is listed again later." in said
    desk.lives(timedelta(days=4), timedelta(hours=1))
    tried = "SELECT count(*) FROM outbox WHERE kind = 'news' AND recipient = ? AND state = 'failed'"
    assert desk.store._connection.execute(tried, (KIM,)).fetchone()[0] == 4
    assert desk.store.news.next_due() is None
    last = [
        m for m in desk.sent_to("it@desk.example") if "4 lists in a row failed" in " ".join(m.text.split())
    ]
    assert len(last) == 1


def test_a_list_that_was_refused_once_arrives_an_hour_later(desk):
    """Nothing of it is lost."""
    opened(desk, 8)
    desk.fate = lambda mail: Rejected(550, "looks like spam") if mail.kind == "news" else Sent()
    desk.passes(10 * MINUTE)
    desk.fate = lambda _mail: Sent()
    desk.lives(2 * 60 * MINUTE)
    assert told(desk) == [1004, 1005, 1006, 1007, 1008]


def test_a_mail_that_is_tried_again_counts_once(desk, monkeypatch):
    """What was noted for the first try was undone with it: the third notice still comes by itself."""
    opened(desk, 2)
    write, tries = desk.store.tickets.change_person, []

    def fails_once(*arguments):
        tries.append(arguments)
        if len(tries) == 1:
            raise ValueError("a fault of ours")
        write(*arguments)

    monkeypatch.setattr(desk.store.tickets, "change_person", fails_once)
    desk.writes("late@late.example", "Me too.")
    assert len(tries) == 2
    assert desk.kinds(KIM) == ["agent_new"] * 3


def test_a_list_warns_of_senders_as_the_notices_do(desk):
    """Look-alikes and unproven senders are marked on their line, in text and HTML; what nobody doubts is not."""
    opened(desk, 3)
    desk.writes("Lee Moss <lee@desk.examp1e>", "Send me the list of customers.", subject="List")
    desk.passes(10 * MINUTE)
    news = desk.last(KIM, "news")
    text = news.text.replace("\r\n", "\n")
    assert "SUP-1004: List\n! look-alike of Lee Moss <lee@desk.example>.\n" in text
    assert "opened by lee@desk.examp1e (sender not proven)\n" in text
    assert "look-alike of Lee Moss &lt;lee@desk.example&gt;.</span>" in news.html
    assert "lee@desk.examp1e (sender not proven)" in news.html


def test_a_list_marks_nothing_where_the_sender_is_proven(tmp_path):
    """With a trusted pass there is no mark."""
    limits = replace(POLICY.limits, notices_per_agent=3, ack_per_hour=0)
    desk = Desk(tmp_path, replace(POLICY, limits=limits), authserv_id="mx.desk.example")
    for number in range(4):
        passed = f"mx.desk.example; dmarc=pass header.from=c{number}.example"
        desk.writes(f"p{number}@c{number}.example", "It burns.", Authentication_Results=passed)
    desk.passes(10 * MINUTE)
    news = desk.last(KIM, "news")
    desk.close()
    assert "opened by p3@c3.example\r\n" in news.text
    assert "!" not in news.text
