"""What makes two copies the same mail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailtickets.mail.parse import parse
from mailtickets.reading import content_digest

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PLAIN = b"""\
From: Scanner <scanner@customer.example>
To: support@desk.example
Date: Mon, 02 Mar 2026 08:59:00 +0000
Subject: Paper is out

Tray 2 is empty.
"""
TRACES = b"""\
From scanner@customer.example Mon Mar  2 09:05:00 2026
Return-Path: <scanner@customer.example>
X-Original-To: support@desk.example
Delivered-To: support@desk.example
Received: from scanner by mx.desk.example; Mon, 2 Mar 2026 09:05:00 +0000
Authentication-Results: mx.desk.example; spf=pass
ARC-Seal: i=1; a=rsa-sha256; t=1772442300; d=desk.example; s=x; b=x
"""


def digest(raw: bytes, arrived: datetime = NOW) -> bytes:
    return content_digest(parse(raw), arrived)


def test_without_a_message_id_it_is_all_but_the_trace_fields():
    """What servers write on its way makes no other mail, also hours later; anything that a person wrote does."""
    assert digest(PLAIN)
    assert digest(TRACES + PLAIN, NOW + timedelta(hours=30)) == digest(PLAIN)
    for old, new in (
        (b"Tray 2", b"Tray 3"),
        (b"08:59:00", b"08:59:01"),
        (b"To: support", b"To: billing"),
        (b"Subject: Paper", b"Reply-To: kim@desk.example\nSubject: Paper"),
    ):
        assert digest(PLAIN.replace(old, new)) not in {digest(PLAIN), b""}


@pytest.mark.parametrize("days", [-2, 8, 20_000])
def test_a_date_that_may_stand_still_makes_nothing_the_same(days):
    """A machine whose clock never ran sends its alarm twice under one Date: these are two mails."""
    assert digest(PLAIN, NOW + timedelta(days=days)) == b""
    assert digest(PLAIN.replace(b"Date:", b"X-Date:")) == b""


def test_with_a_message_id_the_date_may_be_any():
    """There the id says that it is one mail."""
    named = b"Message-ID: <1@customer.example>\n" + PLAIN
    assert digest(named, NOW + timedelta(days=400)) == digest(TRACES + named) != b""
