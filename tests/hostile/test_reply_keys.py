"""Reply keys: in each of their four places one alone is enough; what is no key any more is none in any of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from mailtickets.mail.keys import KeyRing
from tests.hostile.answers import ANNAS, BENS, SERVER, answer, kinds, verdict
from tests.hostile.desk import CORA, HostileDesk, Met

CORAS = "cora@client.example"
FROM_ANNA = "Anna Archer <anna@desk.example>"
PLACES = [
    "To",
    "Cc",
    "Delivered-To",
    "In-Reply-To",
    "References",
    "first of References",
    "footer",
    "footer in HTML",
]


def written(desk: HostileDesk, from_: str, key: str, place: str, *, subject: str = "x") -> bytes:
    """Write a mail that nothing but a key in one place leads to its ticket."""
    fields: dict[str, Any] = {
        "To": {"to": f"support+{key}@desk.example"},
        "Cc": {"cc": f"support+{key}@desk.example"},
        "Delivered-To": {"Delivered_To": f"support+{key}@desk.example"},
        "In-Reply-To": {"In_Reply_To": f"<unknown.{key}@desk.example>"},
        "References": {"References": f"<a@x.example> <unknown.{key}@desk.example>"},
        "first of References": {"References": f"<{key}@desk.example> <a@x.example> <b@x.example>"},
    }.get(place, {})
    text = f"And sand.\n\nOn Mon, 2 Mar 2026 at 09:00, Acme Support wrote:\n> It burns.\n>\n> Ref: {key}\n"
    raw = desk.mail(from_, text if place == "footer" else "And sand.\n", subject=subject, **fields)
    if place != "footer in HTML":
        return raw
    html = f"<p>And sand.</p><blockquote><p>It burns.</p><p>Ref: {key}</p></blockquote>"
    head, _, _ = raw.replace(b"text/plain", b"text/html").partition(b"\n\n")
    return head + b"\n\n" + html.encode()


def keys(desk: HostileDesk) -> KeyRing:
    """The desk's own keys, to make what only the desk can make."""
    return desk.store.key_ring()


def is_annas(busy: HostileDesk, met: Met) -> None:
    """It counted as anna's answer, and cora has her words without the key."""
    assert (met.state, met.ticket, kinds(met, CORAS)) == ("on_ticket", 1001, ["answer"])
    sent = met.to(CORAS)[0]
    assert "And sand." in sent.text
    assert b"-anna" not in sent.raw


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("letters", ["as it is", "capitals"])
def test_an_agents_key_alone_is_enough(busy: HostileDesk, place: str, letters: str):
    """Whatever else a mail program or server took away; some servers change the letters of a local part."""
    key = keys(busy).agent_key(1001, "anna", 0)
    is_annas(busy, busy.meets(written(busy, FROM_ANNA, key.upper() if letters == "capitals" else key, place)))


@pytest.mark.parametrize("place", PLACES)
def test_a_thread_key_alone_is_enough(busy: HostileDesk, place: str):
    """It leads cora to her ticket; anna, who brings no other, is asked."""
    key = keys(busy).thread_key(1001)
    met = busy.meets(written(busy, FROM_ANNA, key, place))
    assert (met.state, met.ticket, kinds(met, ANNAS)) == ("held", 1001, ["held"])
    met = busy.meets(written(busy, CORA, key, place))
    assert (met.ticket, met.is_new, busy.ticket().status) == (1001, False, "open")


def turned(letter: str) -> str:
    """Another letter of the alphabet of keys."""
    return "b" if letter == "a" else "a"


def mac_of(key: str) -> str:
    """The signature in a key."""
    return next(piece for piece in key.split("-") if len(piece) == 16)


VOID: dict[str, Callable[[HostileDesk], str]] = {
    "first letter": lambda desk: (k := keys(desk).agent_key(1001, "anna", 0)).replace(m := mac_of(k), turned(m[0]) + m[1:]),
    "last letter": lambda desk: (k := keys(desk).agent_key(1001, "anna", 0)).replace(m := mac_of(k), m[:-1] + turned(m[-1])),
    "made up": lambda _: f"a1-1001-0-{'a' * 16}-anna",
    "cut": lambda desk: (k := keys(desk).agent_key(1001, "anna", 0)).replace(mac_of(k), mac_of(k)[:15]),
    "cut before the name": lambda desk: keys(desk).agent_key(1001, "anna", 0).removesuffix("-anna"),
    "half a name": lambda desk: keys(desk).agent_key(1001, "anna", 0).removesuffix("na"),
    "longer": lambda desk: (k := keys(desk).agent_key(1001, "anna", 0)).replace(mac_of(k), mac_of(k) + "a"),
    "another ticket's number": lambda desk: keys(desk).agent_key(1002, "anna", 0).replace("-1002-", "-1001-"),
    "another agent's name": lambda desk: keys(desk).agent_key(1001, "ben", 0).replace("-ben", "-anna"),
    "another generation": lambda desk: keys(desk).agent_key(1001, "anna", 0).replace("1001-0-", "1001-1-"),
    "a thread key's signature": lambda desk: f"a1-1001-0-{mac_of(keys(desk).thread_key(1001))}-anna",
    "another number": lambda desk: "a2" + keys(desk).agent_key(1001, "anna", 0)[2:],
    "another secret": lambda _: KeyRing({1: b"x" * 32}, 1).agent_key(1001, "anna", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", VOID)
@pytest.mark.parametrize("place", ["To", "In-Reply-To", "first of References", "footer"])
def test_what_is_no_key_is_none_anywhere(busy: HostileDesk, name: str, place: str):
    """Forged, cut, grown, or with a part of another key: anna's mail is held where a tag leads it, else it is new."""
    void = VOID[name](busy)
    met = busy.meets(written(busy, FROM_ANNA, void, place, subject="[SUP-1001] Printer"))
    assert (met.state, met.ticket, met.customers) == ("held", 1001, set())
    met = busy.meets(written(busy, "eve@evil.example", void, place))
    assert met.is_new
    assert busy.ticket().status == "waiting"


@pytest.mark.parametrize("place", ["To", "In-Reply-To", "first of References", "footer"])
@pytest.mark.parametrize("why", ["another agent", "older generation", "expired", "another ticket"])
def test_a_true_key_that_is_not_good_for_this(busy: HostileDesk, place: str, why: str):
    """Ben's, one replaced since, one sixty days after closing: held. One of another ticket acts on that one only."""
    key = keys(busy).agent_key(1001, "anna", 0)
    if why == "another agent":
        key = keys(busy).agent_key(1001, "ben", 0)
    elif why == "older generation":
        busy.answers(busy.sent_to(ANNAS)[0], FROM_ANNA, "And earth.\n", cc=CORA)
        assert busy.store.tickets.generation(1001, "anna") == 1
    elif why == "expired":
        busy.answers(busy.sent_to(ANNAS)[0], FROM_ANNA, "#close\n")
        busy.lives(timedelta(days=61), timedelta(days=7))
    else:
        busy.writes("dora@other.example", "Mine is wet.", subject="Scanner")
        key = keys(busy).agent_key(1002, "anna", 0)
    met = busy.meets(written(busy, FROM_ANNA, key, place, subject="[SUP-1001] Printer"))
    assert met.to(CORAS) == []
    if why == "another ticket":
        assert (met.ticket, met.customers) == (1002, {"dora@other.example"})
    else:
        assert (met.state, met.ticket, kinds(met, ANNAS)) == ("held", 1001, ["held"])


@pytest.mark.parametrize("kind", ["agent", "thread"])
def test_the_key_of_a_retired_secret(busy: HostileDesk, kind: str):
    """A new secret signs and the old one verifies, until it is taken away: then its keys are none."""
    connection = busy.store._connection
    first = keys(busy)
    old = first.agent_key(1001, "anna", 0) if kind == "agent" else first.thread_key(1001)
    from_ = FROM_ANNA if kind == "agent" else CORA
    connection.execute(
        "INSERT INTO secret (purpose, number, secret, created_at) VALUES ('reply', 2, ?, 0)", (b"y" * 32,)
    )
    busy.use(busy.policy)
    met = busy.meets(written(busy, from_, old, "In-Reply-To"))
    assert (met.ticket, met.is_new) == (1001, False)
    fresh = keys(busy).agent_key(1001, "anna", 0)
    assert fresh.startswith("a2-")
    connection.execute("DELETE FROM secret WHERE purpose = 'reply' AND number = 1")
    busy.use(busy.policy)
    busy.passes(timedelta(minutes=11))  # the same text again sooner would be a duplicate
    met = busy.meets(written(busy, from_, old, "In-Reply-To"))
    assert met.is_new
    met = busy.meets(written(busy, FROM_ANNA, fresh, "In-Reply-To"))
    assert (met.ticket, kinds(met, CORAS)) == (1001, ["answer"])


@pytest.mark.parametrize("place", PLACES)
def test_a_key_that_others_saw_is_renewed(busy: HostileDesk, place: str):
    """Wherever it stood in a stranger's mail: the next notice brings a fresh one in all its places, and the old one is held."""
    old = keys(busy).agent_key(1001, "anna", 0)
    busy.meets(written(busy, "eve@evil.example", old, place))
    busy.answers(busy.last(CORAS), CORA, "It is out.\n")
    notice = busy.last(ANNAS, "agent_reply")
    fresh = keys(busy).agent_key(1001, "anna", 1)
    assert mac_of(old) not in notice.raw.decode()
    for shown in (notice["Reply-To"], notice["Message-ID"], notice["References"], notice.text, notice.html):
        assert fresh in shown
    assert kinds(busy.meets(written(busy, FROM_ANNA, old, place)), ANNAS) == ["held"]
    is_annas(busy, busy.meets(written(busy, FROM_ANNA, fresh, place)))


def test_a_key_goes_to_its_agent_and_to_nobody_else(busy: HostileDesk):
    """Each mail to an agent carries that agent's key; none to a customer or an admin carries any agent's."""
    busy.answers(busy.sent_to(ANNAS)[0], FROM_ANNA, "#note\nCora is a friend.\n")
    busy.answers(busy.last(CORAS), CORA, "It is out.\n")
    for mail in busy.sent:
        held = {
            name for name in ("anna", "ben") if f"-{name}".encode() in mail.raw and b"a1-1001-" in mail.raw
        }
        assert held <= {address.partition("@")[0] for address in mail.recipients}
        if mail.recipients == (BENS,):
            assert b"-ben" in mail.raw


def test_a_key_in_a_forged_mail_is_replaced_once(make: Callable[..., HostileDesk]):
    """Whoever forges anna's mail has her key: it is good no more, and with the next notice comes another; anna is not shut out."""
    desk = make(authserv_id=SERVER)
    desk.cora_is_answered()
    first = desk.sent_to(ANNAS)[0]
    forged: dict[str, Any] = verdict("dmarc=fail header.from=desk.example")
    for _ in range(3):
        met = desk.meets(answer(desk, first, FROM_ANNA, "Pay me.\n", **forged))
        assert (met.state, met.customers) == ("quarantined", set())
    assert desk._ask("SELECT agent, generation FROM agent_key WHERE generation > 0") == [("anna", 1)]
    assert "key_replaced" in desk.history()
    assert desk.meets(answer(desk, first, FROM_ANNA, "Pay me now.\n")).state == "held"
    desk.answers(desk.last(CORAS), CORA, "It is out.\n")
    assert kinds(desk.meets(answer(desk, desk.last(ANNAS), FROM_ANNA, "Good.\n")), CORAS) == ["answer"]


def test_a_key_with_which_a_machine_elsewhere_answers_is_replaced(busy: HostileDesk):
    """Somebody there had anna's notice; her own machine and a mail server give nothing away."""
    notice = busy.last(ANNAS, "agent_new")
    generations = "SELECT agent, generation FROM agent_key WHERE generation > 0"
    busy.machine(notice, FROM_ANNA)
    busy.machine(notice, "Mail Delivery System <mailer-daemon@desk.example>", "Huh?")
    assert busy._ask(generations) == []
    busy.machine(notice, "robot@elsewhere.example", "We have received your mail.")
    assert busy._ask(generations) == [("anna", 1)]
    assert busy.meets(answer(busy, notice, FROM_ANNA, "And sand.\n")).state == "held"
