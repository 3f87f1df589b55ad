"""TXT records from a real DNS server on loopback: answers, refusals, silence; what is kept and for how long."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from mailtickets.transport.dns import (
    KEEP_NONE_SECONDS,
    KEEP_SECONDS,
    KEEP_TROUBLE_SECONDS,
    MAX_TEXT,
    TxtLookup,
)
from tests.support.dns_server import (
    EMPTY,
    GARBAGE,
    LOOP,
    SERVFAIL,
    SILENCE,
    TRUNCATED,
    DnsServer,
)

NAME = "s1._domainkey.desk.example"


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as made:
        made.zone[NAME] = [b"v=DKIM1; p=AAAA"]
        yield made


class Clock:
    """Seconds that a test lets pass."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lookup(server, clock) -> TxtLookup:
    return TxtLookup(server.address, clock)


def test_a_record_is_found(lookup):
    """Under its name, in any case of letters."""
    assert lookup.texts([NAME, NAME]) == {NAME: "v=DKIM1; p=AAAA"}


def test_a_long_record_is_put_together(server, lookup):
    """DNS cuts it into strings of 255 bytes (RFC 6376 section 3.6.2.2); by UDP or TCP, whatever fits."""
    server.zone[NAME] = [b"p=" + b"A" * 2000]
    assert lookup.texts([NAME]) == {NAME: "p=" + "A" * 2000}


def test_a_truncated_answer_is_asked_for_again_by_tcp(server, lookup):
    """RFC 7766 section 5."""
    server.zone[NAME] = TRUNCATED
    assert lookup.texts([NAME]) == {NAME: "by TCP"}


@pytest.mark.parametrize(
    "said",
    [None, EMPTY, [b"one", b"two"], [b"x" * (MAX_TEXT + 1)], ["schl\u00fcssel".encode()], GARBAGE, LOOP],
    ids=[
        "no such name",
        "no such record",
        "several records",
        "huge",
        "not ASCII",
        "garbage",
        "loop of CNAMEs",
    ],
)
def test_what_is_no_clear_answer_is_none(server, lookup, said):
    """Nothing raises, and the names beside it are found."""
    server.zone["s2._domainkey.desk.example"] = said if said is not None else []
    if said is None:
        del server.zone["s2._domainkey.desk.example"]
    assert lookup.texts(["s2._domainkey.desk.example", NAME]) == {NAME: "v=DKIM1; p=AAAA"}


@pytest.mark.parametrize(
    "name", ["", ".", "a..b", "x" * 64 + ".example", "x." * 200 + "example", "ä.example", "\x00"]
)
def test_a_name_that_is_none_is_not_there(lookup, name):
    """Whatever a mail would have us ask for."""
    assert lookup.texts([name, NAME]) == {NAME: "v=DKIM1; p=AAAA"}


def test_silence_is_waited_for_for_seconds_only_and_for_all_names_together(server, lookup):
    """Thirty names without an answer take as long as one, and the one with an answer is found beside them."""
    names = [f"s{number}._domainkey.silent.example" for number in range(30)]
    server.zone.update(dict.fromkeys(names, SILENCE))
    began = time.monotonic()
    assert lookup.texts([*names, NAME]) == {NAME: "v=DKIM1; p=AAAA"}
    assert 2.5 < time.monotonic() - began < 8.0
    assert server.asked.count(names[0]) >= 2, "asked again before it is given up"


def test_an_organisation_that_is_silent_again_and_again_is_not_waited_for(server, lookup, clock):
    """A flood with a new selector, or a new name below the domain, in every mail holds up the mailbox once, not each batch."""
    names = [f"s{number}._domainkey.m{number}.silent.example" for number in range(7)]
    server.zone.update(dict.fromkeys(names, SILENCE))
    other = "s1._domainkey.loud.example"
    server.zone[other] = [b"p=C"]
    lookup.texts(names[:3])
    began, asked = time.monotonic(), len(server.asked)
    assert lookup.texts([*names[3:], NAME, other]) == {NAME: "v=DKIM1; p=AAAA", other: "p=C"}
    assert time.monotonic() - began < 2.0
    assert sorted(server.asked[asked:]) == sorted([NAME, other])
    server.zone[names[5]] = [b"p=D"]
    clock.now += KEEP_TROUBLE_SECONDS + 1
    assert lookup.texts([names[5]]) == {names[5]: "p=D"}


def test_a_failure_that_passes_within_the_seconds_is_not_seen(server, lookup):
    """A server that fails at first is asked again."""

    class Passing(dict):
        def get(self, name, default=None):
            return SERVFAIL if len(server.asked) < 3 else super().get(name, default)

    server.zone = Passing(server.zone)
    assert lookup.texts([NAME]) == {NAME: "v=DKIM1; p=AAAA"}


def test_trouble_is_forgotten_soon(server, lookup, clock):
    """A mail that comes while DNS is away is without proof; a little later DNS is asked again."""
    server.zone[NAME] = SERVFAIL
    assert lookup.texts([NAME]) == {}
    server.zone[NAME] = [b"p=B"]
    count = len(server.asked)
    clock.now += KEEP_TROUBLE_SECONDS - 1
    assert (lookup.texts([NAME]), len(server.asked)) == ({}, count), (
        "a dead server does not hold up every mail"
    )
    clock.now += 2
    assert lookup.texts([NAME]) == {NAME: "p=B"}


@pytest.mark.parametrize(("ttl", "kept"), [(0, KEEP_SECONDS[0]), (600, 600), (10**6, KEEP_SECONDS[1])])
def test_an_answer_is_kept_for_its_time_within_bounds(server, lookup, clock, ttl, kept):
    """Not for less than a minute, not for more than an hour: a key that was withdrawn is out within that."""
    server.ttl = ttl
    lookup.texts([NAME])
    server.zone[NAME] = [b"p=B"]
    clock.now += kept - 1
    assert lookup.texts([NAME]) == {NAME: "v=DKIM1; p=AAAA"}
    assert server.asked == [NAME]
    clock.now += 2
    assert lookup.texts([NAME]) == {NAME: "p=B"}


def test_that_there_is_no_such_name_is_kept_shortly(server, lookup, clock):
    """A key that is put into DNS after the first mail works within minutes."""
    record = server.zone.pop(NAME)
    assert lookup.texts([NAME]) == {}
    server.zone[NAME] = record
    clock.now += KEEP_NONE_SECONDS - 1
    assert lookup.texts([NAME]) == {}
    clock.now += 2
    assert NAME in lookup.texts([NAME])


def test_it_may_be_called_beside_a_loop_that_runs(lookup):
    """As `run --once` does."""

    async def inside():
        return lookup.texts([NAME])

    assert asyncio.run(inside()) == {NAME: "v=DKIM1; p=AAAA"}


def test_nobody_listening_is_trouble(clock):
    """Said in words for `doctor`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
    alone = TxtLookup(address, clock)
    assert alone.texts([NAME]) == {}
    assert "no answer" in alone.trouble(NAME) or "every server" in alone.trouble(NAME)


def test_doctor_hears_of_trouble_and_not_of_a_missing_name(server, lookup):
    """That there is no such name is an answer."""
    assert lookup.trouble(NAME) == ""
    assert lookup.trouble("nothing.example") == ""
    server.zone[NAME] = SERVFAIL
    assert lookup.trouble(NAME)


def test_the_environment_names_a_server(server, monkeypatch):
    """So that a test of the whole program has a domain of its own."""
    monkeypatch.setenv("MAILTICKETS_DNS", server.environment["MAILTICKETS_DNS"])
    assert TxtLookup().texts([NAME]) == {NAME: "v=DKIM1; p=AAAA"}
