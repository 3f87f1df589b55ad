"""How the desk is, seen from outside: each thing that is wrong is said once, at once, with since when and what to do."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailtickets import heartbeat
from mailtickets.cli.words import wrapped
from mailtickets.condition import Alive, Kept, Wrong, is_over, look, whats_wrong
from mailtickets.desk.ticket import Alarm
from mailtickets.diagnosis.desk import judge_daemon
from mailtickets.heartbeat import Beat
from mailtickets.progress import Failure, PutOff
from mailtickets.rounds import Rounds
from mailtickets.store.alarms import AlarmState
from mailtickets.store.views import Stranded
from mailtickets.watching import AccountSeen, MailboxSeen, Patience, Seen, failing, judge, now_true, said_of

NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
WELL = Alive(True, 500, 3, 3)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def lines(alive: Alive = WELL, **kept) -> list[str]:
    return [one.words(UTC_ZONE, NOW) for one in whats_wrong(alive, Kept(**kept), NOW)]


def said(kind: str, what: str, why: str, since: datetime) -> dict[str, str]:
    return said_of(Alarm(kind, what, why, "look there", since=since))


def alarm(kind: str, what: str = "A mail is in quarantine", since: datetime = NOW) -> AlarmState:
    return AlarmState(kind, what, "why", "remedy", since, NOW, 1, told=True)


def test_a_server_that_takes_no_mail_is_said_after_a_minute_with_the_next_try():
    """The alarm waits 15 minutes; `status` does not. A failure younger than a minute may be a new start of the server."""
    refused = said("smtp", "Mail cannot be sent", "connection refused", ago(minutes=8)) | {
        "remedy": "Look there."
    }
    alive = replace(WELL, failures=[refused])
    assert lines(alive, next_tries={"": NOW, "other": ago(hours=-1)}) == [
        "Mail cannot be sent (since 23:22): connection refused; next try 23:30; look there"
    ]
    assert (
        lines(replace(WELL, failures=[said("smtp", "Mail cannot be sent", "refused", ago(seconds=30))])) == []
    )
    assert lines(alive, mail_waits=False) == [], (
        "the mail that met it was given up; nothing shows how the server is now"
    )
    assert len(lines(replace(alive, troubles=[refused]))) == 1, (
        "a failure that is an alarm by now is one thing"
    )


def test_a_mailbox_that_fails_is_one_line():
    """Not that it was never read, and that it fails, and the alarm of it."""
    away = said("mailbox support", "The mailbox support cannot be read", "refused", ago(days=1, minutes=8))
    kept = {"polled": False, "alarms": [alarm("mailbox support", "The mailbox support cannot be read")]}
    found = lines(replace(WELL, failures=[away], troubles=[away]), **kept)
    assert found == ["The mailbox support cannot be read (since Sun 01 Mar 23:22): refused; look there"]


def test_what_fails_now_is_known_with_its_begin():
    """Read from what the parts note: since the first failure, whatever the admins' patience."""
    failure = Failure(1000.0, 1100.0, "refused", "start it")
    box = MailboxSeen("mailbox a", "mailbox a", *[timedelta(minutes=1)] * 3, polled=True, failure=failure)
    put_off = PutOff(1060.0, frozenset("abc"), "450 busy")
    accounts = [AccountSeen("smtp", True, failure), AccountSeen("smtp b", True), AccountSeen("smtp c", True, put_off=put_off)]  # fmt: skip
    seen = Seen(1120.0, [box], accounts, store=replace(failure, reason="the store cannot be written: its disk is full"), on=NOW)  # fmt: skip
    assert judge(seen, Patience()).troubles == ()
    found = {one.kind: one for one in failing(seen)}
    assert set(found) == {"mailbox a", "smtp", "smtp c", "store"}
    assert [found[kind].since for kind in ("mailbox a", "smtp", "smtp c")] == [ago(minutes=2), ago(minutes=2), ago(minutes=1)]  # fmt: skip
    assert found["store"].why == "its disk is full", "the line says once that it cannot be written"
    again = replace(seen, store_again=True)
    assert "store" not in {one.kind for one in failing(again)}, "it works, and is only watched"
    long = Patience(store=timedelta())
    assert [one.kind for one in judge(again, long).troubles] == ["store"], (
        "the admins hear later that it is over"
    )
    assert now_true(judge(again, long).troubles, again) == []


@pytest.mark.parametrize("failure", [None, Failure(0.0, 3600.0, "refused", "")])
def test_an_alarm_says_when_the_outage_began(failure: Failure | None):
    """Not when it was told: 15 minutes lie between."""
    silent = timedelta(hours=1)
    box = MailboxSeen(
        "mailbox a", "mailbox a", timedelta(minutes=1), silent, silent, polled=True, failure=failure
    )
    (trouble,) = judge(Seen(3600.0, [box], on=NOW), Patience()).troubles
    assert trouble.since == NOW - silent
    assert trouble.goes_on


def test_a_heartbeat_that_can_only_be_touched_means_a_full_disk(tmp_path):
    """Its file is fresh, its words are old: the daemon lives, and nothing can be written."""
    store = tmp_path / "desk.db"
    beat = Beat(os.getpid(), ago(minutes=5).isoformat(), ago(hours=1).isoformat(), "1")
    assert heartbeat.write(store, beat)
    pid, read, alive = look(store, NOW)
    assert (pid, read, alive.running) == (0, None, False), "nobody holds the store"
    stale = Alive(True, 3600, 3, 300)
    assert (stale.hangs, stale.writes) == (False, False)
    found = lines(stale, disk=[Wrong("disk: 0 KB free", remedy="make room")])
    assert [line.partition(": ")[0] for line in found] == [
        "the store cannot be written (since 23:25)",
        "disk",
    ]
    hangs = Alive(True, 3600, 300, 300)
    assert hangs.hangs
    assert [line.partition(": ")[0] for line in lines(hangs)] == ["the daemon hangs (since 23:25)"]


def test_mails_that_are_not_decided_are_said_after_two_minutes():
    """A decision takes less than a second: two minutes are a fault. A daemon that does not run is one fault, not two."""
    assert lines(waiting=3, waiting_since=ago(minutes=1)) == []
    assert lines(waiting=3, waiting_since=ago(minutes=3))[0].startswith(
        "3 mails are not decided (since 23:27)"
    )
    assert len(lines(Alive(False), waiting=3, waiting_since=ago(minutes=3))) == 1


@pytest.mark.parametrize("kind", ["quarantine", "own_address", "forged agent"])
def test_an_alarm_of_quarantine_is_over_when_that_is_empty(kind: str):
    """Released, dropped or retried: nothing is left to do."""
    assert len(lines(alarms=[alarm(kind)], quarantined=1)) == 1
    assert lines(alarms=[alarm(kind)]) == []


def test_mails_that_wait_for_an_admin_name_the_commands():
    """Words of people that reached nobody, and all mails of unknown fate, at once; each is over by the command, and said once."""
    failed = Stranded(17, True, True, ago(minutes=1), "550 no such user")
    assert lines(stranded=[failed])[0] == (
        "1 mail of an agent was not sent (since 23:29): 550 no such user; look with `mailtickets outbox list`,"
        " then `mailtickets outbox retry 17` or `mailtickets outbox cancel 17`"
    )
    assert lines(stranded=[replace(failed, human=False)]) == [], "it is told to whom it concerns"
    uncertain = Stranded(18, False, False, ago(minutes=1), "the process ended")
    told = alarm("uncertain mail", "Nobody knows")
    assert "outbox retry 18`" in lines(stranded=[uncertain], alarms=[told])[0]
    assert len(lines(stranded=[uncertain], alarms=[told])) == 1
    assert lines(alarms=[told]) == [], "all were looked at"


def test_an_alarm_of_uncertain_mails_counts_those_that_are_left():
    """Not those of then: two of three were cancelled, and one came to wait later, by a restore."""
    old = Stranded(15, False, False, ago(minutes=40), "the process ended")
    later = Stranded(25, False, False, ago(minutes=10), "from before the restore")
    told = replace(alarm("uncertain mail", "Nobody knows whether 3 automatic mails were sent"), last_at=ago(minutes=30))  # fmt: skip
    (line,) = lines(stranded=[old, later], alarms=[told])
    assert line.startswith(
        "2 mails were perhaps sent and perhaps not (since 22:50): from before the restore; look"
    )
    assert "`mailtickets outbox retry 15 25` or `mailtickets outbox cancel 15 25`" in line
    assert [is_over(told, Kept(stranded=left)) for left in ([old, later], [later], [])] == [False, True, True]


def test_what_to_do_is_what_doctor_says():
    """Under systemd a bare `mailtickets run` would be a second kind of daemon, of another user."""
    kept = {"last_poll": NOW, "now": NOW, "mailboxes": 1}
    for alive, pid in ((Alive(False), 0), (Alive(True, 3600, 300, 300), 7)):
        (found,) = whats_wrong(alive, Kept(), NOW)
        assert found.remedy.replace("`", "").replace(" (or mailtickets run)", ", or mailtickets run") == (
            judge_daemon(pid, alive, **kept).remedy
        )


@pytest.mark.parametrize("width", [20, 40, 80, 81, 82, 83, 84, 85, 86, 87, 88, 200])
def test_a_command_is_never_broken_over_lines(monkeypatch: pytest.MonkeyPatch, width: int):
    """Half of a command may be another command, that a tired hand pastes."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    line = "  -> look with `mailtickets outbox list`, then `mailtickets outbox retry 29` or `mailtickets outbox cancel 29`"
    broken = wrapped(line, "     ")
    assert " ".join(broken.split()) == line.strip()
    for command in ("list", "retry 29", "cancel 29"):
        assert f"`mailtickets outbox {command}`" in broken
    assert width == 200 or "\n     " in broken


def test_a_pause_is_said_once():
    """By the pause, which says until when; its alarm is the same thing."""
    pause = Wrong("automatic mail is held back until 23:45", "too much mail")
    assert lines(pauses=[pause], alarms=[alarm("pause volume")]) == [pause.words(UTC_ZONE, NOW)]


def test_the_heartbeat_of_an_older_daemon_is_read(tmp_path):
    """After an update the old process still runs for a moment: a field that it does not know is empty."""
    store = tmp_path / "desk.db"
    heartbeat.write(store, Beat(1, NOW.isoformat(), NOW.isoformat(), "1", failures=[{"kind": "smtp"}]))
    path = heartbeat.path_of(store)
    words = path.read_text().replace('"failures"', '"unknown"')
    path.write_text(words)
    found = heartbeat.read(store)
    assert found is not None
    assert asdict(found[0])["failures"] == []


@pytest.mark.parametrize(
    ("last", "before", "late"),
    [
        (ago(minutes=59), None, False),
        (ago(minutes=61), None, True),
        (ago(minutes=61), ago(minutes=66), True),
        (ago(hours=47), ago(hours=71), False),
        (ago(hours=49), ago(hours=73), True),
    ],
)
def test_a_round_is_late_by_how_far_the_last_two_were_apart(last, before, late):
    """Cron may run the desk each minute or once a day; an hour without a round is nothing on the latter."""
    said_so = lines(Alive(False), rounds=Rounds(last, before))
    assert [line.startswith("no round of `run --once` (since ") for line in said_so] == [True] * late


def test_a_daemon_that_runs_makes_no_rounds():
    """What a store still says of rounds is nothing beside a running daemon."""
    assert lines(rounds=Rounds(ago(days=9))) == []
