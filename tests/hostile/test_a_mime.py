"""Section A: MIME and charsets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.desk import HostileDesk
from tests.hostile.limited import meets_within


@pytest.mark.case(4)
def test_4_twenty_thousand_empty_parts(tmp_path: Path):
    """200 parts are read, and the history says so."""
    parts = b"--b\n\n" * 20_000
    raw = (
        b'From: eve@evil.example\nTo: support@desk.example\nContent-Type: multipart/mixed; boundary="b"\n\n'
        + parts
    )
    met = meets_within(tmp_path / "desk", raw, seconds=2, megabytes=200)
    assert (met["state"], met["reason"]) == ("on_ticket", "opened a ticket")


@pytest.mark.case(8)
def test_8_utf_7_stays_as_it_was_written(desk: HostileDesk):
    """Nobody guesses at UTF-7: no script comes out of it, neither in the history nor in a notice."""
    met = desk.meets(
        b"From: eve@evil.example\nTo: support@desk.example\nSubject: x\n"
        b"Content-Type: text/plain; charset=utf-7\n\n+ADw-script+AD4-\n"
    )
    assert met.is_new
    assert desk.entries(met.ticket)[0].text.strip() == "+ADw-script+AD4-"
    assert "<script>" not in desk.last("anna@desk.example").html
