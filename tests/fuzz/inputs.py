"""What is mutated: own small mails, mails of the corpus beside the project where it lies, texts and lines of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests.corpus.figures import FOLDER
from tests.fuzz.mutators import words

TESTS = Path(__file__).resolve().parents[1]
OWN = TESTS / "corpus" / "mails"
MAX_SEED_BYTES = 6_000  # small inputs are quick ones, and their structure is hit more often
MAX_OTHERS = 400

# What a desk's own key takes the place of, at the moment of reading: keys differ from store to store.
KEY_MARK = b"THREADKEY"


@cache
def mails() -> tuple[bytes, ...]:
    """Return all seeds that are mails: own ones as often as those of the corpus."""
    own = [path.read_bytes() for path in sorted(OWN.glob("*.eml"))]
    paths = sorted(FOLDER.rglob("*.eml")) if FOLDER.is_dir() else []
    small = [path for path in paths if path.stat().st_size <= MAX_SEED_BYTES]
    others = [path.read_bytes() for path in small[:: max(1, len(small) // MAX_OTHERS)]]
    return (*own * max(1, len(others) // len(own)), *others)


@cache
def bounces() -> tuple[bytes, ...]:
    """Return the seeds that are reports, or look like one."""
    signs = (b"delivery", b"undeliver", b"mailer-daemon", b"report-type")
    return tuple(mail for mail in mails() if any(sign in mail.lower() for sign in signs))


@cache
def bodies() -> tuple[bytes, ...]:
    """Return what stands below the headers."""
    return tuple(mail.replace(b"\r\n", b"\n").partition(b"\n\n")[2][:3000] for mail in mails())


@cache
def pages() -> tuple[bytes, ...]:
    """Return the seeds that hold HTML, from its beginning on."""
    found = (mail[mail.lower().find(b"<") :] for mail in mails() if b"<html" in mail.lower() or b"<p" in mail)
    return tuple(page[:4000] for page in found) or (b"<p>x</p>",)


@cache
def fields() -> tuple[bytes, ...]:
    """Return header lines without their names, short ones first among them."""
    lines = {
        line.partition(b":")[2].strip()
        for mail in mails()
        for line in mail.replace(b"\r\n", b"\n").partition(b"\n\n")[0].replace(b"\n ", b" ").split(b"\n")
    }
    return tuple(sorted(line[:500] for line in lines if line))


@cache
def configs() -> tuple[bytes, ...]:
    """Return config files that load."""
    return tuple(path.read_bytes() for path in sorted((TESTS / "desks").glob("*/config.toml")))


MOMENTS = words(
    "90s|30m|24h|5d|4wh|5wd|30wm|25MB|600KB|1GB|2026-12-01|2026-12-01 15:00|1 Dec|1 December 2026, 3pm|1.12.|01/12/2026|today"
    "|tomorrow 9am|friday|next friday 15:00|in 3 days|2 weeks|3wd|90 min|\u00fcbermorgen|am 3. M\u00e4rz um 17 uhr|half past|12:30 (utc)"
    "|36 h|3 working days|2 business hours|1 week|until monday|by 2026/1/2|first of may|4 working hours|80%|mon-fri 09:00-17:00"
)
AGENT_TEXTS = tuple(
    text.encode()
    for text in (
        "#close\nDone.", "#note\nSecret.", "#p1\n#assign lee\nOn it.", "#wait 5d\nPlease try.", "#due 1 Dec 15:00", "#merge SUP-1002",
        "#for ana@customer.example\nHello", "#type complaint", "#tag red", "#cc bob@customer.example", "##1 is fixed", "#list open",
        "#very-high\nText", "#closed\nx", "Text first\n#close", "#ask\n", "#ask bob@x.example\nplease", "#escalate the roof burns",
        "#third-party", "#split", "#away until friday", "#show SUP-1001", "#priority high", "Hello,\n\nthanks, works.\n\nBest regards\nAna",
        "CLOSE", "Hi\nSTATUS\nAna", "ESCALATE\nIt takes too long.", "Thanks a lot!", "Danke!", "#12 is broken", "\uff03close",
    )
)  # fmt: skip
RESULTS = tuple(
    value.encode()
    for value in (
        "mx.desk.example; dmarc=pass header.from=customer.example", "mx.desk.example 1; dkim=pass header.d=customer.example",
        "mx.desk.example; dmarc=fail (p=reject) header.from=customer.example; dkim=pass header.i=@mail.customer.example; spf=pass",
        "mx.desk.example; none", "other.example; dmarc=pass header.from=customer.example", '"mx.desk.example"; dkim="pass" header.d=x',
        'mx.desk.example (a (b) c); dkim/1 = pass reason="x;dmarc=pass" header.d=customer.example',
    )
)  # fmt: skip
