"""Wording that fails on certain values, configurations that are broken or half-written: the good ones stay in use, and it is told."""

from __future__ import annotations

import itertools
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from mailtickets.config import ConfigInvalid, load
from tests.faults.disk_story import desk_at, put_down, tally
from tests.support.dovecot import Dovecot
from tests.support.process import DeskProcess
from tests.support.smtp_sink import SmtpSink
from tests.test_config import BAD
from tests.test_docs import EXAMPLE, with_defaults, with_samples

# Each passes every check with sample values and fails for one ticket.
FAILS = {
    1002: "{{ no_such_variable }}",
    1003: "{{ 1 // 0 }}",
    1004: "{% for i in range(9000) %}{{ i }} times {{ 'too much' * 30 }}{% endfor %}",
    1005: "{% include 'acknowledgement.txt' %}",
    1006: "{{ reference.nothing.further }}",
}
WORDS = "Moin! {{ reference }} it is.\n" + "".join(
    f"{{% if reference == 'SUP-{number}' %}}{broken}{{% endif %}}\n" for number, broken in FAILS.items()
)
TEMPLATES = '[templates]\nfolder = "words"\n[limits]\nack_per_domain_hour = 0'


def status_says(desk: DeskProcess, words: str) -> bool:
    """Whether `status` prints words."""
    return words in desk.run("status")[1]


def all_write(desk: DeskProcess, people: list[str]) -> None:
    """Each of them writes once."""
    for person in people:
        desk.writes(person, "My printer is on fire.")


@pytest.mark.fault("Template", "error, missing variable, > 256 KB")
def test_a_template_that_fails_on_certain_values(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """The ticket is there and answered in the built-in words; the admins are told once for each version of the file."""
    words = tmp_path / "words" / "en" / "acknowledgement.txt"
    words.parent.mkdir(parents=True)
    words.write_text(WORDS + "{{ key_line }}\n")
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account, more=TEMPLATES) as desk:
        desk.command("check")
        desk.start()
        people = [f"c{number}@customer.example" for number in range(9)]

        def told() -> int:
            return sum("acknowledgement.txt" in mail.text for mail in desk.to("it@desk.example"))

        for number, person in enumerate(people[:6], 1001):
            desk.writes(person, "My printer is on fire.")
            ack = desk.wait_to(person, 1)[0]
            assert f"SUP-{number}" in ack["Subject"]
            assert ("Moin!" in ack.text) == (number not in FAILS)
            assert f"SUP-{number}" in ack.text
            assert len(ack.text) < 10_000
        desk.at_rest(6)
        assert told() == 1
        mail = next(mail for mail in desk.to("it@desk.example") if "acknowledgement.txt" in mail.text)
        assert "acknowledgement.txt:2" in mail.text.replace("\n", "")
        code, said = desk.run("status")
        assert (code, "acknowledgement.txt" in said) == (1, True)

        # The same version after a reload and after a restart is not told again; another one is.
        words.write_text(words.read_text().replace("SUP-1006", "SUP-1007"))
        desk.reload()
        desk.wait_log(" reloaded ")
        desk.writes(people[6], "My printer is on fire.")
        assert "Moin!" not in desk.wait_to(people[6], 1)[0].text
        desk.at_rest(7)
        assert told() == 2
        words.write_text(words.read_text().replace("SUP-1007", "SUP-1008"))
        assert desk.stop() == 0
        desk.start()
        desk.writes(people[7], "My printer is on fire.")
        assert "Moin!" not in desk.wait_to(people[7], 1)[0].text
        desk.at_rest(8)
        assert told() == 3
        assert desk.stop() == 0
        desk.edit('name = "Acme Support"', 'name = "Acme Help"')
        desk.start()
        words.write_text(words.read_text().replace("SUP-1008", "SUP-1009"))
        desk.writes(people[8], "My printer is on fire.")
        assert "Moin!" in desk.wait_to(people[8], 1)[0].text, "a changed file is read at a reload, not before"
        desk.at_rest(9)
        assert told() == 3
        put_down(book, runs=len(FAILS) + 2, **tally(desk, people))


@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
def test_reloads_that_fail_are_seen_until_one_succeeds(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """Bad TOML, a bad value, a missing template: the old settings work on, `status` and an admin's mail say so, until it is mended."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        desk.start()
        good = desk.config.read_text()
        people: list[str] = []
        breaks = (
            ('tag = "SUP"', 'tag = "SUP', "config.toml"),
            ('security = "none"', 'security = "maybe"', "smtp.security"),
            ("[limits]", '[templates]\nfolder = "nowhere"\n[limits]', "nowhere"),
        )
        for runs, (old, new, named) in enumerate(breaks, 1):
            desk.edit('name = "Acme Support"', f'name = "Desk {runs}"')
            desk.edit(old, new)
            desk.reload()
            line = desk.wait_log("reload failed; the old configuration stays", runs)
            assert named in line
            code, said = desk.run("status")
            assert code in {1, 78}
            assert named in said
            people.append(f"c{runs}@customer.example")
            desk.writes(people[-1], "My printer is on fire.")
            assert "Acme Support" in desk.wait_to(people[-1], 1)[0]["From"]
            desk._write(good)
            desk.wait(
                partial(status_says, desk, "The reload failed"), "status to say it, the file being good again"
            )
        told = desk.wait_to("it@desk.example", 1)
        assert len(told) == 1, "at most one mail an hour"
        assert "reload failed" in told[0]["Subject"]
        assert "config.toml" in told[0].text
        desk.reload()
        desk.wait_log(" reloaded ")
        desk.wait(lambda: desk.run("status")[0] == 0, "status to say that all is well")
        assert len(desk.wait_to("it@desk.example", 2)) == 2, "one mail that it is over"
        # A start with a good file is as good as a reload.
        desk.edit('tag = "SUP"', 'tag = "SUP')
        desk.reload()
        desk.wait_log("reload failed; the old configuration stays", len(breaks) + 1)
        assert "a running daemon goes on with the one it has" in desk.run("status")[1]
        desk._write(good)
        desk.wait(partial(status_says, desk, "The reload failed"), "status to say it")
        assert desk.stop() == 0
        desk.start()
        desk.wait(lambda: desk.run("status")[0] == 0, "status to say that all is well")
        desk.at_rest(len(people))
        put_down(book, runs=len(breaks) + 1, **tally(desk, people))


@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
def test_every_key_corrupted_in_turn(tmp_path: Path, book):
    """Each key of the example configuration, at a value of no type it may have: refused, and that line is named."""
    path = tmp_path / "config.toml"
    runs = 0
    example = EXAMPLE.read_text(encoding="utf-8")
    for text in (with_defaults(example), with_samples(example)):
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            key = re.match(r"([A-Za-z0-9_]+) = ", line)
            if key is None:
                continue
            bad = [*lines]
            bad[number - 1] = f"{key[1]} = 1979-05-27T07:32:00Z"
            path.write_text("\n".join(bad), encoding="utf-8")
            path.chmod(0o600)
            with pytest.raises(ConfigInvalid) as refused:
                load(path)
            first = [problem.line for problem in refused.value.problems]
            # A value that went over several lines leaves its rest behind, which is no TOML.
            assert any(abs(one - number) <= 1 for one in first), (line, first)
            runs += 1
    assert runs > 100
    put_down(book, runs=runs)


@pytest.mark.fault("Reload", "half-written file")
@pytest.mark.timeout(300)
def test_a_configuration_cut_off_at_each_byte(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """Read at any byte it is refused in words, or it is whole; the real daemon, told to reload some of them, works on."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        raw = desk.config.read_bytes()
        whole = 0
        other = tmp_path / "other"
        other.mkdir()
        shutil.copy(tmp_path / "imap-password", other)
        half = other / "config.toml"
        for end in range(len(raw)):
            half.write_bytes(raw[:end])
            half.chmod(0o600)
            try:
                load(half)
            except ConfigInvalid as refused:
                assert all(problem.reason for problem in refused.problems)  # noqa: PT017 - either outcome is right
            else:
                whole += 1
        assert 0 < whole < 200, "only after the last table that must be there"

        desk.start()
        ends = sorted({0, 1, *range(7, raw.index(b"[agent.lee]"), 97)})
        for runs, end in enumerate(ends, 1):
            desk._write(raw[:end].decode())
            desk.reload()
            desk.wait_log("reload failed", runs)
        desk.writes("ana@customer.example", "My printer is on fire.")
        desk.wait_to("ana@customer.example", 1)
        desk._write(raw.decode())
        desk.reload()
        desk.wait_log(" reloaded ")
        desk.at_rest(1)
        put_down(book, runs=len(raw) + len(ends), **tally(desk, ["ana@customer.example"]))


@pytest.mark.fault("Reload", "bad TOML, bad value, missing template")
@pytest.mark.timeout(240)
def test_bad_values_and_the_real_daemon(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """Every bad configuration of the collection, put in place of the good one while the desk runs, changes nothing."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        good = desk.config.read_text()
        desk.start()
        for runs, case in enumerate(BAD, 1):
            for beside in case.glob("*.csv"):
                shutil.copy(beside, tmp_path)
            desk._write((case / "config.toml").read_text(encoding="utf-8"))
            desk.reload()
            desk.wait_log("reload failed", runs)
        desk.writes("ana@customer.example", "My printer is on fire.")
        assert "[SUP-1001]" in desk.wait_to("ana@customer.example", 1)[0]["Subject"]
        assert desk.log.count(" reloaded ") == 0
        desk._write(good)
        desk.reload()
        desk.wait_log(" reloaded ")
        desk.at_rest(1)
        put_down(book, runs=len(BAD), **tally(desk, ["ana@customer.example"]))


@pytest.mark.fault("Thread, authorise", "config changes meanwhile")
def test_one_configuration_for_each_mail(tmp_path: Path, dovecot: Dovecot, account: str, book):
    """Reloads in the middle of a burst: tag, subject, sender and words of each mail are all of one configuration."""
    with SmtpSink() as sink, desk_at(tmp_path, tmp_path, dovecot, sink, account) as desk:
        names = {"SUP": "Acme Support", "ONE": "Desk One", "TWO": "Desk Two", "TRI": "Desk Three"}
        people = [f"c{number}@customer.example" for number in range(200)]
        desk.start()
        for runs, (tag, after) in enumerate(itertools.pairwise([*names, ""]), 1):
            # While they are written the first is decided, and then all that decides them is changed.
            with ThreadPoolExecutor(1) as writer:
                writing = writer.submit(all_write, desk, people[50 * (runs - 1) : 50 * runs])
                desk.wait_log(" on_ticket ", 50 * (runs - 1) + 1, 60)
                if after:
                    desk.edit(f'tag = "{tag}"', f'tag = "{after}"')
                    desk.edit(f'name = "{names[tag]}"', f'name = "{names[after]}"')
                    desk.reload()
                    desk.wait_log(" reloaded ", runs, 60)
                writing.result()
        desk.at_rest(len(people), 60)
        used = set()
        for ticket in desk.json("list", "--all", "--limit", "1000"):
            tag = ticket["reference"].partition("-")[0]
            used.add(tag)
            ack = desk.to(ticket["requester"])[0]
            assert ack["Subject"].startswith(f"[{ticket['reference']}]")
            assert ack["From"].startswith(names[tag])
            assert names[tag] in ack.text
            assert all(name not in ack.everything for other, name in names.items() if other != tag)
        assert used == set(names)
        put_down(book, runs=3, **tally(desk, people))
