"""What is fuzzed: each target makes an input and reads it; `oracles` say what must hold whatever the input was."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from mailtickets.config import load, load_in_part
from mailtickets.desk.calendar import ALWAYS
from mailtickets.desk.command_rules import RULES
from mailtickets.desk.commands import Known, read_commands, read_duration, read_span
from mailtickets.desk.customer_words import asks_status, said
from mailtickets.desk.dates import MAX_AHEAD, in_words, read_date
from mailtickets.desk.thanks import is_thanks
from mailtickets.desk.thread import evidence, strip_tags
from mailtickets.desk.words import folded, has_word
from mailtickets.durations import Duration, parse_size
from mailtickets.mail import header_text
from mailtickets.mail.authentication import Proof, authentication, authserv_ids
from mailtickets.mail.bounce import read_bounce
from mailtickets.mail.classify import Origin, OwnAddresses, classify
from mailtickets.mail.compose import Head, HeaderUnsafe, Letter, Piece, assemble, compose_body, compose_head
from mailtickets.mail.html_text import html_to_text
from mailtickets.mail.keys import KeyKind, KeyRing
from mailtickets.mail.message import Address, Message, base_subject
from mailtickets.mail.parse import parse
from mailtickets.mail.relay import relay_agent, relay_customer
from mailtickets.mail.visible_text import new_text, visible_text
from mailtickets.problems import ConfigInvalid
from tests.fuzz import inputs, oracles
from tests.fuzz.line import LineOfMails
from tests.fuzz.mutators import mutated

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RING = KeyRing({1: b"one" * 11, 2: b"two" * 11}, 2)
OWN = OwnAddresses(frozenset({"support@desk.example"}), frozenset({"old.example"}))
MX = "mx.desk.example"
KNOWN = Known(("kim", "lee"), ("complaint", "question"), {"very-high": "P1", "high": "P2"})
KEYS = tuple(key.encode() for key in (RING.thread_key(1001), RING.agent_key(1001, "kim", 3)))


@dataclass(frozen=True)
class Target:
    """One reader under test.

    seeds    what its inputs are made of.
    read     reads one input and says by an AssertionError what is wrong with the outcome; no other exception may leave it.
    share    of all inputs, in thousandths; the quick ones get most.
    seconds  of processor time that one input may take at most.
    """

    name: str
    seeds: Callable[[], Sequence[bytes]]
    read: Callable[[bytes], None]
    share: int
    seconds: float = 2.0

    def make(self, seed: int, number: int) -> bytes:
        """Return the input of a number: the same for ever, on the same seeds."""
        return mutated(self.seeds(), Random(f"{seed} {self.name} {number}"))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _parse(raw: bytes) -> None:
    message = parse(raw)
    oracles.message(message, raw)
    classification = classify(message, ours=False, own_addresses=OWN)
    oracles.classification(classification, message)
    found = evidence(message, RING, message.text, classification, "")
    assert not found.keys, "a key out of nothing"
    if len(raw) % 16 == 0:
        assert parse(raw) == message, "two readings differ"
    if len(raw) % 8 == 0 and b"\n" in raw[:60_000]:
        again = classify(parse(b"Auto-Submitted: auto-replied\n" + raw), ours=False, own_addresses=OWN)
        assert again.origin is not Origin.PERSON, "Auto-Submitted did not count"
        assert not again.answerable


def _bounce(raw: bytes) -> None:
    message = parse(raw)
    oracles.message(message, raw)
    bounce = read_bounce(message)
    if bounce:
        oracles.bounce(bounce)
        assert classify(message, ours=False, own_addresses=OWN).origin is Origin.REPORT


def _visible(raw: bytes) -> None:
    text = _text(raw)
    visible = visible_text(text, answers=len(raw) % 2 == 0, forwards=len(raw) % 5 == 0)
    oracles.nothing_lost(text, visible)


def _html(raw: bytes) -> None:
    html = _text(raw)
    text = html_to_text(html)
    oracles.clean_text(text)
    assert len(text) <= 20 * len(html) + 1000, f"{len(html)} letters became {len(text)}"


def _relay(raw: bytes) -> None:
    message = parse(raw)
    visible = new_text(message)
    relayed = relay_customer(message, visible)
    oracles.relayed(relayed, message)
    oracles.clean_text(relayed.text)
    for_customer = relay_agent(message, visible, hidden=("anna@desk.example",))
    oracles.relayed(for_customer, message)
    assert "anna@desk.example" not in (for_customer.text + for_customer.html).lower(), "an agent's address"
    letter = Letter(
        message.subject,
        relayed.text,
        relayed.html,
        attached=tuple(Piece(b"x", one) for one in relayed.attachments),
    )
    head = Head(
        message.sender or Address("a@desk.example", message.subject),
        (Address("b@desk.example", message.from_[0].name if message.from_ else ""),),
        "<1@desk.example>",
        NOW,
        references=message.references,
        in_reply_to=message.message_id,
    )
    with contextlib.suppress(HeaderUnsafe):
        whole = assemble(compose_head(head, message.subject), compose_body(letter), "t1", lambda _: raw)
        oracles.composed(whole)


def _heads(raw: bytes) -> None:
    name, _, rest = raw.decode("utf-8", "surrogateescape").partition(" ")
    address, _, subject = rest.partition(" ")
    for mailbox in (Address("ana@customer.example", name), Address(address, name)):
        head = Head(
            mailbox, (mailbox,), "<1@desk.example>", NOW, in_reply_to=name, references=(name, address, "<2@x>"),
            auto_submitted="auto-replied", loop="1-x", extra=(("X-Words", subject),),
        )  # fmt: skip
        with contextlib.suppress(HeaderUnsafe):
            oracles.head(compose_head(head, rest))


def _fields(raw: bytes) -> None:
    value = header_text.unfold(raw)
    oracles.clean_line(header_text.one_line(header_text.decode_words(value)))
    oracles.clean_line(header_text.file_name(value))
    assert all(one[0] == "<" and len(one) <= header_text.MAX_ID + 2 for one in header_text.message_ids(value))
    for text in header_text.parameters(value)[1].values():
        oracles.encodable(text)
    assert base_subject(base_subject(value)) == base_subject(value)
    bare = strip_tags(value, {"SUP"})
    assert "\n\n" not in bare


def _keys(raw: bytes) -> None:
    text = _text(raw)
    for key in RING.read(text, "x"):
        thread = key.kind is KeyKind.THREAD
        rings = [KeyRing(RING.secrets, number) for number in RING.secrets]
        made = [
            ring.thread_key(key.ticket) if thread else ring.agent_key(key.ticket, key.agent, key.generation)
            for ring in rings
        ]
        assert any(one in text.lower() for one in made), f"{key} is not in the text"


def _authentication(raw: bytes) -> None:
    headers = tuple(("Authentication-Results", _text(line)) for line in raw.split(b"\n"))
    sender = Address("ana@customer.example")
    message = Message(headers=headers, from_=(sender,), sender=sender)
    proof = authentication(message, MX)
    if proof is not Proof.NONE:
        said_by = headers[0][1].lower()
        assert MX in said_by, "another server's word counts"
        assert any(("pass" if proof is Proof.PASS else "fail") in value.lower() for _, value in headers)
    forged = Message(
        headers=(("Authentication-Results", "evil.example; none"), *headers), from_=(sender,), sender=sender
    )
    assert authentication(forged, MX) is Proof.NONE, "a field below another server's counts"
    nobody = Message(headers=headers, sender=sender, sender_doubt="two")
    assert authentication(nobody, MX) is not Proof.PASS, "a doubtful sender is proven"
    authserv_ids([headers])


def _commands(raw: bytes) -> None:
    text = _text(raw)
    read = read_commands(text, KNOWN)
    assert all(command.name in RULES for command in read.commands)
    assert not (read.problem and read.commands)
    if read.problem:
        assert read.text == text
        assert read.problem.why
    elif not any(line.strip().startswith(("#", "\uff03")) for line in text.split("\n")):
        assert not read.commands, "a command out of nothing"
        assert read.text == text.replace("\u00a0", " ").strip()
    _ = (read.status, read.priority, read.only_reads, read.asks_aside)


def _words(raw: bytes) -> None:
    text = _text(raw)
    word = said(text).word
    assert word is None or word.value in text.lower()
    asks_status(Message(subject=text[:200]), text)
    if is_thanks(text, (), "en"):
        assert len(text) <= 120
        assert "?" not in text
    fold = folded(text, 20_000)
    assert folded(fold, 10**6) == fold or not fold.isascii()
    has_word(fold, "urgent")


def _moments(raw: bytes) -> None:
    text = _text(raw)
    for read in (Duration.parse, parse_size):
        with contextlib.suppress(ValueError):
            read(text)
    moment = read_date(text, "Europe/London", NOW, ALWAYS)
    if moment:
        assert NOW < moment <= NOW + MAX_AHEAD
        in_words(moment, "Europe/London")
    length = read_duration(text)
    assert length is None or timedelta(0) < length <= timedelta(days=366)
    read_span(text)


def _config(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(raw)
        path.chmod(0o600)
        try:
            load(path)
        except ConfigInvalid as error:
            problems = error.problems
        else:
            problems = []
        for problem in problems:
            assert problem.line >= 0
            assert problem.reason
            assert "\n" not in str(problem), "a problem is one line"
        load_in_part(path)


LINE = LineOfMails()

TARGETS = {
    target.name: target
    for target in (
        Target("fields", inputs.fields, _fields, 210),
        Target("keys", lambda: (*inputs.bodies()[:50], *KEYS, b" ".join(KEYS) * 3), _keys, 240),
        Target("authentication", lambda: (*inputs.RESULTS, b"\n".join(inputs.RESULTS)), _authentication, 60),
        Target("commands", lambda: inputs.AGENT_TEXTS, _commands, 40),
        Target("words", lambda: (*inputs.AGENT_TEXTS, *inputs.bodies()[:30]), _words, 100),
        Target("moments", lambda: inputs.MOMENTS, _moments, 220),
        Target("heads", inputs.fields, _heads, 20),
        Target("visible text", inputs.bodies, _visible, 25),
        Target("html", inputs.pages, _html, 25),
        Target("parse", inputs.mails, _parse, 45),
        Target("bounce", inputs.bounces, _bounce, 8),
        Target("relay", inputs.mails, _relay, 5),
        Target("config", inputs.configs, _config, 1, seconds=4.0),
        Target("line", inputs.mails, LINE.read, 1, seconds=4.0),
    )
}
assert sum(target.share for target in TARGETS.values()) == 1000
