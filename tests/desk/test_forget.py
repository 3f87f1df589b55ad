"""`#forget`: an agent asks, each admin is mailed, the first yes erases; what erasing takes away, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mailtickets.desk.ticket import Decision, Forget
from mailtickets.transport.fate import Deferred
from tests.support.desk import POLICY, Desk
from tests.support.leftovers import leftovers

ANA, BEN = "Ana Lima <ana@customer.example>", "Ben Roth <ben@customer.example>"
KIM, IT, BOSS = "kim@desk.example", "it@desk.example", "boss@desk.example"
WORDS = "The zanzibar printer smokes."
MARKS = ("ana@customer.example", "zanzibar", "Ana Lima")


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, replace(POLICY, admins=(IT, BOSS)))
    yield made
    made.close()


@pytest.fixture
def asked(desk):
    """Ana has written and got an answer; Kim has asked to erase her."""
    desk.writes(ANA, WORDS, subject="Zanzibar printer")
    desk.answers(desk.last(KIM), KIM, "Pull the plug, Ana Lima.")
    desk.answers(desk.last("ana@customer.example"), ANA, "It is the zanzibar plug.")
    desk.answers(desk.last(KIM), KIM, "#forget")
    return desk


def left(desk, *words):
    return leftovers(desk.store.path, *(words or MARKS))


# -- asking ---------------------------------------------------------------------------------------


def test_nothing_is_erased_before_an_admin_says_yes(asked):
    """Each admin is asked in plain words, with a code in the subject; the agent gets a receipt, the customer nothing."""
    for admin in (IT, BOSS):
        question = asked.last(admin)
        assert question.kind == "forget"
        assert "[SUP-1001 confirm CODE-" in question["Subject"]
        assert "ana" not in question["Subject"].lower()
        said = " ".join(question.text.split())
        assert "Kim Archer asks on SUP-1001 to erase ana@customer.example from this desk." in said
        assert "Nothing has been erased so far." in said
        assert "2 mails of this person" in said
        assert "the words of 1 ticket with nobody else on it" in said
        assert "what is open of them is closed, and nobody is told" in said
        assert "It cannot be undone" in said
        assert "three working days" in said
        assert "mails in the mailbox on your mail server" in said
        for word in ("ana@customer.example", "cannot be undone", "three working days"):
            assert word in question.html
    assert "Ref: " not in asked.last(IT).text, "an admin gets no agent's key"
    assert "nothing is erased before one of them says yes" in " ".join(asked.last(KIM).text.split())
    assert asked.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert asked.ticket().requester == "ana@customer.example"
    assert asked.history()[-1] == "erasure"
    assert "ana" not in asked.entries()[-1].reason


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("#forget nobody@elsewhere.example", "nobody@elsewhere.example is not known to the desk"),
        ("#forget lee@desk.example", "is an address of the agent Lee Moss"),
        ("#forget it@desk.example", "is an address of the desk itself"),
        ("#forget support@desk.example", "is an address of the desk itself"),
        ("#forget ana", 'write "#forget" alone, or "#forget carl@supplier.example"'),
        ("#forget\n#close", "stands alone in a mail"),
        ("#forget\nGood bye.", "stands alone in a mail"),
    ],
)
def test_what_cannot_be_asked_comes_back(desk, words, why):
    """An address that is unknown or one of the desk's own, and a command beside others: nobody is asked."""
    desk.writes(ANA, WORDS)
    desk.answers(desk.last(KIM), KIM, words)
    assert desk.last(KIM).kind == "not_sent"
    assert why in " ".join(desk.last(KIM).text.split())
    assert desk.kinds(IT) == []


def test_a_mere_claim_has_no_table_read(desk):
    """What is held of a person is counted for an agent alone: by key, or once the agent confirmed the mail."""
    desk.writes(ANA, WORDS, subject="Zanzibar printer")
    notice, read = desk.last(KIM), []
    desk.store._connection.set_trace_callback(
        lambda query: read.append(query) if "copy WHERE sender =" in query else None
    )
    desk.writes(KIM, "#forget ana@customer.example", subject="x")
    desk.writes(KIM, "#forget ana@customer.example", subject="Re: [SUP-1001] Zanzibar printer")
    assert read == []
    desk.answers(desk.last(KIM, "held"), KIM, "yes", quote=False)
    assert len(read) == 1
    assert desk.kinds(IT) == ["forget"]
    desk.answers(notice, KIM, "#forget")
    assert len(read) == 2


def test_without_an_admin_the_command_is_named(desk):
    """Nobody could confirm it by mail."""
    desk.use(replace(POLICY, admins=()))
    desk.writes(ANA, WORDS)
    desk.answers(desk.last(KIM), KIM, "#forget")
    assert "mailtickets forget ana@customer.example" in " ".join(desk.last(KIM).text.split())


# -- answering ------------------------------------------------------------------------------------


def test_the_first_yes_erases(asked):
    """Words, name and address are gone from the file and all that is packed in it; the ticket's bones stay."""
    before = asked.ticket()
    assert len(left(asked)) > 10, "it looks into every corner"
    asked.answers(asked.last(IT), IT, "yes")
    assert left(asked) == []
    ticket = asked.ticket()
    assert (ticket.requester, ticket.subject, ticket.people) == ("erased-1@invalid", "[erased]", ())
    assert ticket.status.value == "closed"
    for name in ("number", "queue", "priority", "type", "created_at", "organisation", "assignee"):
        assert getattr(ticket, name) == getattr(before, name)
    entries = asked.entries()
    assert [e.kind for e in entries if e.kind.startswith("mail")] == ["mail_in", "mail_out", "mail_in"]
    assert {e.text for e in entries if e.kind.startswith("mail")} == {"[erased]"}
    (erased,) = [e for e in entries if e.kind == "erased"]
    assert erased.reason == f"a person was erased: asked by Kim Archer, confirmed by {IT}"
    assert asked.kinds("ana@customer.example") == ["acknowledgement", "answer"], "nobody is told"
    for address in (KIM, IT, BOSS):
        told = asked.last(address)
        assert told.kind == "forgotten"
        said = " ".join(told.text.split())
        assert f"{IT} has confirmed what Kim Archer asked for on SUP-1001: the person is erased" in said
        assert "Copies elsewhere are not gone" in said
        assert not [mark for mark in MARKS if mark.lower() in told.raw.decode().lower()]
    books = asked.books()
    assert (books.unexplained, books.waiting) == (0, 0)
    assert asked.store.integrity() == "ok"
    assert asked.store.views.search("zanzibar") == []
    assert asked.store.views.without_original() == []


def test_no_drops_the_question(asked):
    """Everything stays; the agent and the other admins are told by whom."""
    asked.answers(asked.last(IT), IT, "No.")
    assert asked.ticket().requester == "ana@customer.example"
    for address in (KIM, IT, BOSS):
        assert f"{IT} answered no" in " ".join(asked.last(address).text.split())
    assert asked.history()[-1] == "erasure"
    asked.answers(asked.last(BOSS, "forget"), BOSS, "yes")
    assert asked.ticket().requester == "ana@customer.example"
    assert "nobody was erased" in " ".join(asked.last(BOSS).text.split())


def test_anything_else_asks_again(asked):
    """The one who wrote it is asked again; the code stays good."""
    asked.answers(asked.last(IT), IT, "Who is that?")
    again = asked.last(IT)
    assert again.kind == "forget"
    assert "I did not understand 'Who is that?'" in " ".join(again.text.split())
    assert asked.kinds(BOSS) == ["forget"]
    asked.answers(again, IT, "Yes")
    assert left(asked) == [], "also not in the mail that was not understood"


def test_a_later_answer_is_told_that_it_is_done(asked):
    """The first answer counts, and a quote of the question in a later one is not kept."""
    asked.answers(asked.last(IT), IT, "yes")
    tickets = len(asked.store.views.tickets(unfinished=False))
    asked.answers(asked.last(BOSS, "forget"), BOSS, "yes")
    told = asked.last(BOSS)
    assert told.kind == "forgotten"
    assert "was answered before: it@desk.example confirmed it, and the person was erased" in " ".join(
        told.text.split()
    )
    assert len(asked.store.views.tickets(unfinished=False)) == tickets
    assert left(asked) == []
    assert asked.books().unexplained == 0


@pytest.mark.parametrize("who", ["carl@elsewhere.example", KIM, "lee@desk.example"])
def test_a_yes_of_somebody_else_does_nothing(asked, who):
    """The code alone is no proof; the admins hear of it, and the question still stands."""
    asked.answers(asked.last(IT), who, "yes")
    assert asked.ticket().requester == "ana@customer.example"
    assert asked.kinds("ana@customer.example") == ["acknowledgement", "answer"], (
        "it is no answer to her either"
    )
    if who != "carl@elsewhere.example":  # an agent's mail comes back
        assert " ".join(asked.last(who).text.split()).count("nothing was done") == 1
        assert "Nothing was done" not in asked.last(who).text
    assert "confirmation code for erasing a person" in " ".join(asked.last(BOSS, "trouble").text.split())
    asked.answers(asked.last(BOSS, "forget"), BOSS, "yes")
    assert asked.ticket().requester == "erased-1@invalid"


def test_a_forged_yes_does_nothing(tmp_path):
    """Our own server says that the sender is forged: then the code counts for nothing."""
    desk = Desk(tmp_path, authserv_id="mx.desk.example")
    desk.writes(ANA, WORDS)
    desk.answers(desk.last(KIM), KIM, "#forget", quote=True)
    forged = "mx.desk.example; dmarc=fail header.from=desk.example"
    desk.answers(desk.last(IT, "forget"), IT, "yes", Authentication_Results=forged)
    assert desk.ticket().requester == "ana@customer.example"
    assert desk.last(IT).kind == "trouble"
    desk.close()


def test_an_absence_notice_of_an_admin_is_no_answer(asked):
    """A machine quotes the code too."""
    asked.answers(asked.last(IT), IT, "yes", Auto_Submitted="auto-replied")
    assert asked.ticket().requester == "ana@customer.example"


def test_nobody_answers(asked):
    """After three working days nothing is erased, whom it concerns is told, and a late yes does nothing."""
    asked.lives(timedelta(days=3, hours=1), step=timedelta(hours=1))
    for address in (KIM, IT, BOSS):
        said = " ".join(asked.last(address, "forgotten").text.split())
        assert "Nobody answered within three working days" in said
    asked.answers(asked.last(IT, "forget"), IT, "yes")
    assert asked.ticket().requester == "ana@customer.example"
    assert "nobody was erased (nobody answered)" in " ".join(asked.last(IT).text.split())


def test_a_question_that_was_answered_no_is_found_later(desk):
    """It was asked on somebody else's ticket; a later yes takes its traces, too."""
    desk.writes(ANA, WORDS)
    desk.writes(BEN, "A quagga.", subject="Quagga")
    desk.answers(desk.last(KIM), KIM, "#forget ana@customer.example")
    desk.answers(desk.last(IT), IT, "no")
    desk.answers(desk.sent_to(KIM)[0], KIM, "#forget")
    desk.answers(desk.last(IT), IT, "yes")
    assert left(desk) == []
    assert left(desk, "quagga", "ben@customer.example") != []


def test_two_agents_ask_about_the_same_person(asked):
    """One yes answers both questions."""
    asked.answers(asked.last("lee@desk.example"), "lee@desk.example", "#forget ana@customer.example")
    first, second = [mail for mail in asked.sent_to(IT) if mail.kind == "forget"]
    asked.answers(first, IT, "yes")
    asked.answers(second, BOSS, "yes")
    assert "was answered before" in " ".join(asked.last(BOSS).text.split())
    asked.lives(timedelta(days=4), step=timedelta(hours=4))
    assert [m for m in asked.sent if m.kind == "forgotten" and "three working days" in m.text] == []


# -- what goes, and what stays --------------------------------------------------------------------


def test_on_a_ticket_with_others_only_the_own_words_go(desk):
    """The others' words stay, with the pseudonym and a blank where they name the person; the ticket stays open."""
    desk.writes(ANA, WORDS, cc="ben@customer.example")
    smells = "I smell it too. Ask Ana Lima, ana@customer.example."
    desk.writes(BEN, smells, subject="[SUP-1001] Printer on fire")
    desk.answers(desk.last(KIM), KIM, "Pull the plug.")
    desk.answers(desk.last(KIM), KIM, "#forget ana@customer.example")
    said = " ".join(desk.last(IT).text.split())
    assert "on 1 ticket with others, this person's own words" in said
    assert "the words of" not in said
    assert "closed" not in said
    desk.answers(desk.last(IT), IT, "yes")
    assert left(desk) == []
    ticket = desk.ticket()
    assert (ticket.requester, [p.address for p in ticket.people]) == (
        "erased-1@invalid",
        ["ben@customer.example"],
    )
    assert ticket.status.value == "waiting"
    texts = [e.text for e in desk.entries() if e.kind.startswith("mail")]
    assert texts == ["[erased]", "I smell it too. Ask [erased], erased-1@invalid.", "Pull the plug."]
    # And it goes on with the other one.
    desk.answers(desk.last("ben@customer.example", "answer"), BEN, "Done.")
    assert desk.ticket().status.value == "open"
    desk.answers(desk.last(KIM, "agent_reply"), KIM, "Fine.")
    assert desk.last("ben@customer.example").recipients == ("ben@customer.example",)


def test_an_agents_mail_that_is_held_on_a_ticket_with_others_waits_on(desk):
    """What an agent wrote to the others is not lost: the question about it still stands."""
    desk.writes(ANA, WORDS, cc="ben@customer.example")
    claimed = desk.mail("lee@desk.example", "Try water, Ana Lima.", subject="[SUP-1001] Printer on fire")
    desk.receives(claimed)
    question = desk.last("lee@desk.example", "held")
    desk.answers(desk.last(KIM), KIM, "#forget ana@customer.example")
    desk.answers(desk.last(IT), IT, "yes")
    desk.answers(question, "lee@desk.example", "yes")
    assert "Try water" in desk.last("ben@customer.example", "answer").text


def test_mails_of_others_keep_their_place(desk):
    """On a ticket with others an original that names the person goes, and its sender is threaded by it as before."""
    desk.writes(ANA, WORDS, cc="ben@customer.example")
    mail = desk.mail(
        BEN, "I smell it too.\n\nOn Monday Ana Lima wrote:\n> It smokes.", subject="[SUP-1001] Printer"
    )
    desk.receives(mail)
    message_id = mail.split(b"Message-ID: ")[1].split()[0].decode()
    desk.answers(desk.last(KIM), KIM, "#forget ana@customer.example")
    desk.answers(desk.last(IT), IT, "yes")
    assert left(desk) == []
    (copy,) = desk.store.views.copies_of(message_id=message_id)
    assert (copy.state, copy.sender) == ("on_ticket", "ben@customer.example")
    desk.writes(BEN, "And still.", subject="Printer", In_Reply_To=message_id)
    assert desk.copies()[-1][2] == 1001
    assert desk.books().unexplained == 0


def test_the_last_one_takes_the_whole_ticket(desk):
    """When the others are erased as well, nobody's words are left."""
    desk.writes(ANA, WORDS, cc="ben@customer.example")
    desk.writes(BEN, "I smell it too.", subject="[SUP-1001] Printer on fire")
    for address in ("ana@customer.example", "ben@customer.example"):
        desk.answers(desk.last(KIM, "agent_new"), KIM, f"#forget {address}")
        desk.answers(desk.last(IT, "forget"), IT, "yes")
    assert left(desk, *MARKS, "ben@customer.example", "smell") == []
    assert desk.ticket().status.value == "closed"
    assert desk.ticket().requester == "erased-1@invalid"
    assert desk.history().count("erased") == 2


def test_mails_that_are_on_no_ticket_go_too(desk):
    """Duplicates, mail in quarantine and automatic replies; the books still balance, and each copy keeps its place."""
    mail = desk.mail(ANA, WORDS)
    desk.receives(mail)
    desk.receives(mail)
    desk.receives(desk.mail(ANA, "zanzibar pills", X_Spam_Flag="YES"))
    desk.receives(desk.mail(ANA, "zanzibar leave", Auto_Submitted="auto-replied"))
    before = desk.books()
    desk.answers(desk.last(KIM), KIM, "#forget")
    desk.answers(desk.last(IT), IT, "yes")
    assert left(desk) == []
    books = desk.books()
    assert books.unexplained == 0
    assert books.duplicates == before.duplicates == 1
    assert books.received == before.received + 2
    names = [f"1/{number}" for number in range(1, 7)]
    assert desk.store.ledger.known_names("support", "INBOX", names) == set(names)


def test_the_same_mail_again_is_known(asked):
    """A mail that is still in the mailbox, under another number, is no new mail; its content is not kept again."""
    mail = asked.mail(BEN, "quagga", subject="Other")
    asked.receives(mail)
    asked.answers(asked.last(KIM), KIM, "#forget")
    asked.answers(asked.last(IT, "forget"), IT, "yes")
    tickets = len(asked.store.views.tickets(unfinished=False))
    asked.receives(mail)
    first = asked.copies().index(("on_ticket", "opened a ticket", 1002)) + 1
    assert asked.copies()[-1] == ("ignored", f"duplicate of mail {first}", None)
    assert len(asked.store.views.tickets(unfinished=False)) == tickets
    assert left(asked, "quagga", "ben@customer.example") == []


def test_later_mail_starts_afresh(asked):
    """An answer to an old mail of ours opens a new ticket as a stranger's does; nobody reads the old one by it."""
    answer = asked.last("ana@customer.example")
    asked.answers(asked.last(IT), IT, "yes")
    asked.passes(timedelta(days=2))
    asked.answers(answer, ANA, "It smokes again.")
    new = asked.ticket(1002)
    assert (new.requester, new.status.value, new.linked) == ("ana@customer.example", "open", None)
    assert asked.last("ana@customer.example").kind == "acknowledgement"
    assert asked.ticket(1001).status.value == "closed"


def test_a_report_about_an_old_mail_brings_nothing_back(asked):
    """A mail to the person comes back after the erasing: it marks nobody, tells nobody, and its words are not kept."""
    answer = asked.last("ana@customer.example")
    asked.answers(asked.last(IT), IT, "yes")
    before = len(asked.sent)
    asked.bounces(answer, "ana@customer.example")
    assert asked.copies()[-1][:2] == ("ignored", "report about a mail to a person who was erased")
    assert len(asked.sent) == before
    assert left(asked) == []


def test_an_agent_who_answers_an_old_notice_is_told(asked):
    """There is nobody to send it to."""
    notice = asked.last(KIM, "agent_reply")
    asked.answers(asked.last(IT), IT, "yes")
    asked.answers(notice, KIM, "One more thing.")
    assert "Nobody's address is known on this ticket" in " ".join(asked.last(KIM).text.split())


def test_what_waits_to_go_out_is_taken_back(asked):
    """Reminders, and a mail that could not be sent yet."""
    sends, asked.fate = asked.fate, lambda _mail: Deferred("451 later")
    asked.answers(asked.last(KIM), KIM, "Try again tomorrow.")
    assert "deferred" in {mail.state for mail in asked.store.views.outbox()}
    asked.fate = sends
    asked.answers(asked.last(IT), IT, "yes")
    asked.lives(timedelta(days=10), step=timedelta(hours=6))
    assert asked.kinds("ana@customer.example") == ["acknowledgement", "answer"]
    assert asked.store.views.timed() == []
    assert left(asked) == []


def test_somebody_asked_aside_can_be_erased(desk):
    """The one an agent asked beside the ticket is known to the desk, on a ticket that is somebody else's."""
    desk.writes(ANA, "My printer smokes.")
    desk.answers(desk.last(KIM), KIM, "#ask carl@supplier.example\nIs the zanzibar in stock?")
    desk.answers(desk.last("carl@supplier.example"), "Carl Supply <carl@supplier.example>", "No okapi left.")
    desk.answers(desk.last(KIM), KIM, "#forget carl@supplier.example")
    desk.answers(desk.last(IT), IT, "yes")
    assert left(desk, "carl@supplier.example", "okapi") == []
    assert desk.ticket().requester == "ana@customer.example"
    assert desk.ticket().status.value != "closed"
    assert "erased" in desk.history()


def test_the_figures_stay(asked):
    """What reports count is as before; an open ticket is counted as closed now."""

    def rows():
        return asked.store._connection.execute(
            "SELECT opened_at, first_response_at, updates_kept, reopened FROM measure"
        ).fetchall()

    before = rows()
    asked.answers(asked.last(IT), IT, "yes")
    assert rows() == before


def test_a_repeat_under_another_address_of_the_mailbox_stays(desk):
    """Three mails with the same words: the last is filed on a ticket of `ana+2@`, and is not hers to take along."""
    for part in ("1", "2", "3"):
        desk.writes(f"ana+{part}@customer.example", WORDS, subject="Zanzibar printer")
    assert desk.history(1002).count("mail_in") == 2
    with desk.store.transaction():
        desk.line._recorder.record(
            Decision(forget=Forget("ana+2@customer.example", None, None, "", IT)), None, None
        )
    mails = [entry for entry in desk.entries(1002) if entry.kind == "mail_in"]
    assert [(entry.actor, entry.text == WORDS) for entry in mails] == [
        ("erased-1@invalid", False),
        ("ana+3@customer.example", True),
    ]
    kept = "SELECT sender, digest IS NOT NULL FROM copy ORDER BY id"
    rows = [tuple(row) for row in desk.store._connection.execute(kept)]
    assert [bool(there) for _, there in rows] == [True, False, True]
