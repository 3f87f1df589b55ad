"""Reply keys and the loop signature: what verifies, what does not, and where they are found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.mail.keys import (
    MAX_TOKENS,
    KeyKind,
    KeyRing,
    ReplyKey,
    keys_of,
    without_agent_keys,
    without_keys,
)
from mailtickets.mail.message import Address, Message

RING = KeyRing({1: b"a" * 32, 2: b"b" * 32}, 2)
THREAD, AGENT = RING.thread_key(1042), RING.agent_key(1042, "kim", 0)


@pytest.mark.parametrize(
    "shape", ["{}", "support+{}@desk.example", "<id7.{}@desk.example>", "> Ref: {}", "({}),", "x {} y"]
)
def test_a_key_is_found_wherever_it_stands(shape):
    """In an address, an id, a quoted footer; also with its letters in capitals."""
    for text in (shape.format(THREAD), shape.format(THREAD).upper()):
        assert RING.read(text, "here") == (ReplyKey(KeyKind.THREAD, 1042, place="here"),)
    assert RING.read(shape.format(AGENT), "here") == (ReplyKey(KeyKind.AGENT, 1042, "kim", 0, "here"),)


@pytest.mark.parametrize(
    "forged",
    [
        THREAD.replace("1042", "1043"),
        THREAD.replace("t2", "t1"),
        THREAD.replace("t2", "t3"),
        THREAD[:-1] + ("a" if THREAD[-1] != "a" else "b"),
        THREAD[:-1],
        "x" + THREAD,
        THREAD + "x",
        AGENT.replace("kim", "lee"),
        AGENT.replace("1042-0-", "1042-1-"),
        AGENT.replace("1042", "1043"),
        "t2-1042-aaaaaaaaaaaaaaaa",
        "t2-99999999999-aaaaaaaaaaaaaaaa",
    ],
)
def test_a_changed_key_proves_nothing(forged):
    """Another ticket, agent, generation or key number; one letter more, less or other."""
    assert RING.read(forged, "here") == ()


def test_an_old_secret_still_verifies():
    """The desk's keys are numbered: a new one signs, the old ones verify."""
    old = KeyRing({1: b"a" * 32}, 1)
    assert RING.read(old.thread_key(7), "x")[0].ticket == 7
    assert old.read(RING.thread_key(7), "x") == ()


def test_a_thread_key_gives_no_agents_rights():
    """The two purposes have different signatures."""
    mac = THREAD.rpartition("-")[2]
    assert RING.read(f"a2-1042-0-{mac}-kim", "x") == ()


def test_at_most_fifty_tokens_are_looked_at():
    """A stranger's text of a million forged keys costs little."""
    forged = "t2-1-aaaaaaaaaaaaaaaa " * (MAX_TOKENS + 5)
    assert RING.read(forged + THREAD, "x") == ()


def test_the_strongest_place_comes_first():
    """The recipient address before references, these before the quote; each key once."""
    message = Message(
        to=(Address(f"support+{THREAD}@desk.example"),), in_reply_to=(f"<x.{AGENT}@desk.example>",),
        references=(f"<{THREAD}@desk.example>",),
    )  # fmt: skip
    found = keys_of(RING, message, f"> Ref: {RING.thread_key(7)}")
    assert [(key.ticket, key.kind, key.place) for key in found] == [
        (1042, KeyKind.THREAD, "recipient address"),
        (1042, KeyKind.AGENT, "In-Reply-To"),
        (7, KeyKind.THREAD, "quoted footer"),
    ]


def test_the_loop_field_belongs_to_one_message_id():
    """A stranger cannot put our field on another mail, nor on one without an id."""
    value = RING.sign_loop("<a@desk.example>")
    assert RING.is_our_loop(f" {value} ", "<a@desk.example>")
    assert not RING.is_our_loop(value, "<b@desk.example>")
    assert not RING.is_our_loop(value, "")
    for wrong in ("", "2-", "9-aaaa", "2-\u00e4", "x-y", value + "a", "99999-a", "\u0662-a"):
        assert not RING.is_our_loop(wrong, "<a@desk.example>")


def test_secrets_do_not_show():
    """A ring in a log or a traceback names its numbers only."""
    assert repr(RING) == "KeyRing(keys=[1, 2], current=2)"


CODE = "[SUP-1042 confirm 7K3M-9QXD]"


@pytest.mark.parametrize(
    "shape", ["{}", "support+b.{}@desk.example", "<id7.{}@desk.example>", "_{}_", "(x,{}),", "\u00e4{}"]
)
def test_what_is_shown_holds_no_key_that_can_be_used(shape):
    """Wherever a key would be found, its MAC is gone; a code too, also where its subject is folded."""
    for key in (THREAD, AGENT, THREAD.upper(), AGENT.upper()):
        shown = without_keys(shape.format(key))
        assert RING.read(shape.format(key), "x")
        assert RING.read(shown, "x") == ()
        assert key.split("-")[-1 if key[0] in "tT" else 3] not in shown
        assert shown.startswith(shape.partition("{")[0] + key[:7])
    assert without_keys(f"Re: {CODE} x") == "Re: [SUP-1042 confirm ***] x"
    assert without_keys(f"Re: {CODE.lower()} x") == "Re: [sup-1042 confirm ***] x"
    assert "9QXD" not in without_keys(CODE.replace(" confirm", "\r\n confirm"))


def test_a_thread_key_may_stay_where_it_names_a_mail():
    """It gives no rights; an agent's key and a code go all the same."""
    assert without_agent_keys(f"<id7.{THREAD}@desk.example>") == f"<id7.{THREAD}@desk.example>"
    assert RING.read(without_agent_keys(f"{AGENT} {CODE}"), "x") == ()
    assert "9QXD" not in without_agent_keys(CODE)


@given(st.text(max_size=300))
def test_no_text_is_a_key_by_chance(text):
    """Whatever stands in a mail: reading it gives nothing and raises nothing."""
    assert RING.read(text, "x") == ()


@given(
    st.integers(1, 9_999_999_999),
    st.from_regex(r"\A(?:[a-z][a-z0-9_-]{0,22}[a-z0-9]|[a-z])\Z"),
    st.integers(0, 999_999),
)
def test_every_key_reads_back(ticket, agent, generation):
    """Any ticket, any agent's name that a config allows, any generation."""
    assert RING.read(RING.thread_key(ticket), "x")[0].ticket == ticket
    (key,) = RING.read(f"<{RING.agent_key(ticket, agent, generation)}@desk.example>", "x")
    assert (key.ticket, key.agent, key.generation) == (ticket, agent, generation)
