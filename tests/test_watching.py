"""What is wrong with a desk, judged from what its parts last managed to do; how the admins are told, and once."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from mailtickets import heartbeat, told
from mailtickets.alerting import RECOVERED, TROUBLE, News, run_command
from mailtickets.cli import cli
from mailtickets.clocks import utc_now
from mailtickets.condition import Alive, Kept, whats_wrong
from mailtickets.config import load
from mailtickets.desk.ticket import Alarm
from mailtickets.deskthread import DeskLedger
from mailtickets.heartbeat import BEAT_SECONDS, Beat
from mailtickets.lookout import Lookout
from mailtickets.progress import Failure, Progress, PutOff
from mailtickets.standstill import Standstill
from mailtickets.store import Store
from mailtickets.store.alarms import AlarmState
from mailtickets.strays import unreadable_alarm, unreadable_kind
from mailtickets.told import Told
from mailtickets.transport.fate import Deferred, Sent
from mailtickets.transport.smtp_transaction import Timeouts
from mailtickets.watching import (
    AccountSeen,
    MailboxSeen,
    Patience,
    Seen,
    hangs,
    judge,
)
from tests.support.desk import Desk
from tests.test_config import written

MINUTE = 60.0
NOW = 100_000.0
PATIENCE = Patience()


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def failure(ago: float, *, at_once: bool = False) -> Failure:
    """Something that fails for so many minutes."""
    return Failure(NOW - ago * MINUTE, NOW, "connection refused", "start the server", at_once)


BOX = MailboxSeen("mailbox support", "mailbox support", minutes(1), minutes(1), minutes(1), polled=True)
SMTP = AccountSeen("smtp", sent=True)
WELL = Seen(NOW, [BOX], [SMTP])


def mailbox(**changes) -> Seen:
    return replace(WELL, mailboxes=[replace(BOX, **changes)])


def account(**changes) -> Seen:
    return replace(WELL, accounts=[replace(SMTP, **changes)])


@pytest.mark.parametrize(
    ("seen", "kinds"),
    [
        (WELL, []),
        (mailbox(silent=minutes(14), failure=failure(14)), []),
        (mailbox(silent=minutes(15), failure=failure(14)), ["mailbox support"]),
        (mailbox(silent=minutes(19), poll=minutes(10), failure=failure(19)), []),
        (mailbox(silent=minutes(20), poll=minutes(10), failure=failure(19)), ["mailbox support"]),
        (mailbox(silent=minutes(1), failure=failure(0, at_once=True)), ["mailbox support"]),
        (mailbox(silent=minutes(600), silent_awake=minutes(1)), []),  # the machine slept
        (mailbox(silent=minutes(15), silent_awake=minutes(15)), ["mailbox support"]),  # hangs without a word
        (account(failure=failure(14)), []),
        (account(failure=failure(15)), ["smtp"]),
        (account(failure=failure(0, at_once=True)), ["smtp"]),
        (account(put_off=PutOff(NOW - 20 * MINUTE, frozenset("ab"), "450 busy")), []),
        (account(put_off=PutOff(NOW - 14 * MINUTE, frozenset("abc"), "450 busy")), []),
        (account(put_off=PutOff(NOW - 15 * MINUTE, frozenset("abc"), "450 busy")), ["smtp"]),
        (replace(WELL, store=failure(14)), []),
        (replace(WELL, store=failure(15)), ["store"]),
        (replace(WELL, store=failure(0, at_once=True)), ["store"]),
        (replace(mailbox(silent=minutes(20)), store=failure(20)), ["store"]),
        (replace(mailbox(silent=minutes(20), silent_awake=minutes(20)), desk_turn=minutes(20)), ["desk thread"]),
        (replace(WELL, desk_turn=timedelta(seconds=119)), []),
        (replace(WELL, desk_turn=timedelta(seconds=120)), ["desk thread"]),
        (replace(WELL, desk_alive=False), ["desk thread"]),
        (replace(WELL, sender_stuck=minutes(19)), []),
        (replace(WELL, sender_stuck=minutes(20)), ["sender"]),
        (replace(WELL, sender_alive=False), ["sender"]),
        (replace(WELL, loop_lag=timedelta(seconds=29)), []),
        (replace(WELL, loop_lag=timedelta(seconds=30)), ["event loop"]),
        (
            replace(mailbox(silent=minutes(15), failure=failure(15)), accounts=[replace(SMTP, failure=failure(15))]),
            ["mailbox support", "smtp"],
        ),
    ],
)  # fmt: skip
def test_what_is_trouble(seen: Seen, kinds: list[str]):
    """Each limit holds to the second; one cause is told as one trouble; each says why and what to do."""
    troubles = judge(seen, PATIENCE).troubles
    assert [alarm.kind for alarm in troubles] == kinds
    assert all(alarm.what and alarm.why and alarm.remedy for alarm in troubles)


def test_what_was_wrong_before_the_start_is_not_over_because_nothing_is_known_yet():
    """A mailbox not yet read and an account that has sent nothing are neither well nor in trouble."""
    fresh = replace(mailbox(polled=False), accounts=[replace(SMTP, sent=False)])
    assert judge(fresh, PATIENCE).unknown == {"mailbox support", "smtp"}
    assert judge(WELL, PATIENCE).unknown == set()


@pytest.mark.parametrize(
    ("seen", "hanging"),
    [
        (WELL, False),
        (mailbox(silent=minutes(600), failure=failure(600)), False),
        (account(failure=failure(600)), False),
        (replace(WELL, store=failure(600)), False),
        (mailbox(stuck=minutes(9)), False),
        (mailbox(stuck=minutes(10)), True),
        (mailbox(alive=False), True),
        (replace(WELL, desk_turn=timedelta(seconds=120)), True),
        (replace(WELL, desk_alive=False), True),
        (replace(WELL, sender_stuck=minutes(20)), True),
        (replace(WELL, sender_alive=False), True),
    ],
)
def test_what_systemd_should_start_anew_for(seen: Seen, hanging: bool):
    """A thread that does not move; never a server that is away or a disk that is full."""
    assert bool(hangs(seen, PATIENCE)) is hanging


def test_the_sender_has_more_patience_than_any_server_needs():
    """Nothing moves while a server keeps an answer back; the longest such wait is no hanging, nor are two of them in a row."""
    longest = max(astuple(Timeouts()))
    assert PATIENCE.sending >= timedelta(seconds=2 * longest)


TROUBLE_SAID = {"kind": "smtp", "what": "Mail cannot be sent", "why": "refused", "remedy": "start it"}
NEVER = datetime(2026, 3, 2, tzinfo=UTC)
OPEN = AlarmState("smtp", "Mail cannot be sent", "refused", "start it", NEVER, NEVER, 1, told=True)


@pytest.mark.parametrize(
    ("alive", "kept", "words"),
    [
        (Alive(True, 500, 3), Kept(), []),
        (Alive(True, 59), Kept(), []),  # it starts, and has written no heartbeat yet
        (Alive(True, 500, 60), Kept(), []),
        (Alive(False), Kept(), ["does not run"]),
        (Alive(True, 500, 61), Kept(), ["hangs"]),
        (Alive(True, 61), Kept(), ["hangs"]),
        (Alive(True, 500, 3), Kept(polled=False), ["no mailbox was read yet"]),
        (Alive(True, 500, 3), Kept(polled=False, has_mailboxes=False), []),
        (Alive(True, 500, 3, 3, [TROUBLE_SAID]), Kept(), ["Mail cannot be sent"]),
        (Alive(True, 500, 3, 3, [TROUBLE_SAID]), Kept([OPEN]), ["Mail cannot be sent"]),
        (Alive(True, 500, 3), Kept([OPEN]), ["Mail cannot be sent"]),
        (Alive(False), Kept([OPEN]), ["does not run", "Mail cannot be sent"]),
        (Alive(True, 500, 61, 3, [TROUBLE_SAID]), Kept(), ["hangs"]),
        (Alive(True, 500, 3), Kept(unexplained=1), ["nowhere"]),
    ],
)
def test_what_status_says_is_wrong(alive: Alive, kept: Kept, words: list[str]):
    """Each fault once, in words, with what to do; nothing at all where all is well: that is exit code 0."""
    wrong = [one.words(ZoneInfo("UTC"), NEVER) for one in whats_wrong(alive, kept, NEVER)]
    assert len(wrong) == len(words)
    assert all(word in line for word, line in zip(words, wrong, strict=True))


def test_progress_keeps_since_when_it_fails():
    """Failures in a row are one outage; an answer ends it, and success also what was put off."""
    clock = [0.0]
    progress = Progress(lambda: clock[0])
    progress.failed("refused")
    clock[0] = 900.0
    progress.failed("timed out")
    assert (progress.failure.since, progress.failure.last, progress.failure.reason) == (
        0.0,
        900.0,
        "timed out",
    )
    progress.answered()
    assert progress.failure is None
    for name in ("ana", "ben"):
        progress.put_off_for([name], "450 busy")
        clock[0] += 1
    assert (progress.put_off.since, progress.put_off.recipients) == (900.0, {"ana", "ben"})
    progress.well()
    assert (progress.failure, progress.put_off, progress.well_at) == (None, None, 902.0)


# -- the heartbeat -----------------------------------------------------------------------------

BEAT = Beat(
    17, "2026-03-02T09:00:00Z", "2026-03-02T08:00:00Z", "1", {"support": None}, troubles=[TROUBLE_SAID]
)


def test_the_heartbeat_is_whole_private_and_read_back(tmp_path):
    """What was written is read, with its age; only we can read it; nothing else is left beside it."""
    store = tmp_path / "desk.db"
    assert heartbeat.read(store) is None
    assert heartbeat.write(store, BEAT)
    beat, age = heartbeat.read(store)
    assert beat == BEAT
    assert age < MINUTE
    assert stat.S_IMODE(heartbeat.path_of(store).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["desk.db.heartbeat"]
    heartbeat.remove(store)
    assert heartbeat.read(store) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_heartbeat_that_makes_no_sense_is_none(tmp_path, text):
    """Cut off, or of another version: as if there were none, and no traceback."""
    heartbeat.path_of(tmp_path / "desk.db").write_text(text)
    assert heartbeat.read(tmp_path / "desk.db") is None


def test_a_heartbeat_without_room_touches_the_old_one(tmp_path):
    """The daemon is not taken for dead because it could not say that it lives."""
    store = tmp_path / "desk.db"
    heartbeat.write(store, BEAT)
    os.utime(heartbeat.path_of(store), (0, 0))
    (tmp_path / "desk.db.heartbeat.new").mkdir()  # stands where the new file should come
    assert not heartbeat.write(store, BEAT)
    assert heartbeat.read(store)[1] < MINUTE


TOLD = {
    "store": Told(
        Alarm(
            "store", "The store cannot be written", "its disk is full", "make room", since=NEVER - minutes(15)
        ),
        NEVER,
        mended=True,
    ),
    "sender": Told(
        Alarm("sender", "The sending of mail hangs", "\U0001f525" * 900, "x" * 900), NEVER, over=True
    ),
}


def test_what_was_told_is_read_back_from_a_file_of_one_size(tmp_path):
    """Private; long texts are cut; a file that makes no sense tells nothing; what stood there is gone with the next."""
    store = tmp_path / "desk.db"
    assert told.read(store) == {}
    for told_now in ({}, TOLD, {}, {"store": TOLD["store"]}):
        assert told.write(store, told_now)
        path = told.path_of(store)
        assert (path.stat().st_size, stat.S_IMODE(path.stat().st_mode)) == (told.SIZE, 0o600)
        assert told.read(store).keys() == told_now.keys()
    assert told.read(store) == {"store": TOLD["store"]}
    for text in ("", "{", "null", "[1]", '[["store", "x"]]'):
        path.write_text(text)
        assert told.read(store) == {}


FULL = Alarm("store", "The store cannot be written", "its disk is full", "make room")


@pytest.mark.parametrize("since", [None, NEVER - minutes(15)])
def test_a_new_start_knows_since_when_the_store_fails(tmp_path: Path, since: datetime | None):
    """As it was told: the desk, or the fault, may be younger than the patience."""
    config = load(written(tmp_path))
    told.write(config.desk.store, {"store": Told(replace(FULL, since=since), NEVER)})

    async def begun() -> Seen:
        lookout = Lookout(config, lambda: NEVER + minutes(1), PATIENCE, Standstill())
        lookout.begin()
        seen = lookout.seen()
        await lookout.end()
        return seen

    seen = asyncio.run(begun())
    (trouble,) = judge(seen, PATIENCE).troubles
    assert trouble.since is not None
    assert abs(trouble.since - (since or NEVER)) < timedelta(seconds=5)


def test_what_was_mended_while_the_desk_stood_still_does_not_fail(tmp_path: Path):
    """`restore` put a sound store there: nothing asks for a restore any more. The command says so in the file."""
    config = load(written(tmp_path))
    store = config.desk.store
    Store.open(store, utc_now()).close()
    main = ["--config", str(tmp_path / "config.toml")]
    assert CliRunner().invoke(cli, [*main, "backup", str(tmp_path / "old.db")]).exit_code == 0
    told.write(store, {"store": Told(FULL, utc_now())})
    done = CliRunner().invoke(cli, [*main, "restore", str(tmp_path / "old.db")])
    assert done.exit_code == 0, done.output
    assert told.read(store)["store"].mended

    async def begun() -> Seen:
        lookout = Lookout(config, utc_now, PATIENCE, Standstill())
        lookout.begin()
        seen = lookout.seen()
        await lookout.end()
        return seen

    assert asyncio.run(begun()).store is None


def test_the_heartbeat_says_at_once_what_begins_and_ends_to_fail(tmp_path: Path):
    """Not at the next look: somebody who has put the new password in place looks at `status` a second later."""
    config = load(written(tmp_path))

    async def watched() -> list[float]:
        lookout = Lookout(config, utc_now, PATIENCE, Standstill())
        account = lookout.account("")
        lookout.begin()
        await seen_in_heartbeat([])
        took = []
        refused = partial(account.failed, "refused user support", at_once=True)
        for change, troubles in ((refused, ["smtp"]), (account.well, [])):
            began = time.monotonic()
            await asyncio.to_thread(change)
            await seen_in_heartbeat(troubles)
            took.append(time.monotonic() - began)
        await lookout.end()
        return took

    async def seen_in_heartbeat(troubles: list[str]) -> None:
        async with asyncio.timeout(60):
            while True:
                found = heartbeat.read(config.desk.store)
                if found and [one["kind"] for one in found[0].troubles] == troubles:
                    return
                await asyncio.sleep(0.05)

    assert max(asyncio.run(watched())) < BEAT_SECONDS / 2


def test_progress_says_when_it_begins_or_ends_to_fail():
    """Once for each, and where waiting will not mend it any more; not at each try."""
    said: list[bool] = []
    progress = Progress(changed=lambda: said.append(progress.failure is not None))
    progress.well()
    for at_once in (False, False, True, True):
        progress.failed("refused", at_once=at_once)
    progress.well()
    progress.answered()
    assert said == [True, True, False]


# -- telling -----------------------------------------------------------------------------------

ALARM = Alarm("smtp", "Mail cannot be sent", "connection refused", "Start the server.")


def news_of(state: str) -> News:
    """Since midnight, told 20 minutes later."""
    return News(replace(ALARM, since=NEVER), state, "Acme Support", ZoneInfo("UTC"), NEVER + minutes(20))


PAGE = "import os, sys; open(sys.argv[1], 'w').write(sys.stdin.read() + repr(sorted(os.environ.items())))"


def test_a_command_is_told_in_words_and_gets_no_secrets(tmp_path, monkeypatch):
    """Standard input says what, why and what to do; the environment has kind, what and state, and no password."""
    monkeypatch.setenv("SMTP_PASSWORD", "hunter2")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    news = news_of(TROUBLE)
    out = tmp_path / "paged"
    command = (sys.executable, "-c", PAGE, str(out))
    assert asyncio.run(run_command(command, news, frozenset({"SMTP_PASSWORD"}))) == ""
    said = out.read_text()
    for words in ("Acme Support: Trouble: Mail cannot be sent, since Mon 2 Mar 00:00\n", "Why: connection refused\n", "What to do: Start the server.\n"):  # fmt: skip
        assert words in said
    for name, value in (("KIND", "smtp"), ("WHAT", "Mail cannot be sent"), ("STATE", "trouble")):
        assert f"('MAILTICKETS_{name}', '{value}')" in said
    assert "hunter2" not in said
    assert "NOTIFY_SOCKET" not in said
    assert "PATH" in said


def test_the_end_of_a_trouble_is_told_as_such():
    """State and text say that it is over, since when it was, and ask for nothing."""
    assert news_of(RECOVERED).text == (
        "Acme Support: This is over: Mail cannot be sent\n"
        "It began Mon 2 Mar 00:00 and ended Mon 2 Mar 00:20. There is nothing left to do.\n"
    )
    unknown = replace(news_of(RECOVERED), alarm=ALARM)
    assert unknown.text.splitlines()[1].startswith("It ended Mon 2 Mar 00:20.")
    assert replace(unknown, state=TROUBLE).text.startswith("Acme Support: Trouble: Mail cannot be sent\n")


def test_a_command_that_hangs_is_killed_with_what_it_started(tmp_path):
    """After its time, and its children too; the reason is in words."""
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    began = time.monotonic()
    problem = asyncio.run(run_command(("sh", "-c", script), news_of(TROUBLE), frozenset(), 1.0))
    assert "did not end within 1 s" in problem
    assert time.monotonic() - began < 30
    child = int((tmp_path / "child").read_text())
    for _ in range(200):
        if not runs(child):
            return
        time.sleep(0.05)
    raise AssertionError("what the command started still runs")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("/nowhere/page",), "No such file"),
        (("false",), "exit code 1"),
        (("sh", "-c", "exit 7"), "exit code 7"),
    ],
)
def test_a_command_that_fails_says_how(command, words):
    """So that the log has a reason."""
    assert words in asyncio.run(run_command(command, news_of(TROUBLE), frozenset()))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


AWAY = Deferred("connection refused", account_trouble=True)


def waiting(desk: Desk) -> list[tuple[str, str]]:
    """Return kind and state of the mails that are still to be sent."""
    mails = [(mail.kind, mail.state) for mail in desk.store.views.outbox()]
    return [mail for mail in mails if mail[1] in {"queued", "deferred"}]


def test_a_trouble_that_ends_before_its_mail_went_out_is_one_mail(desk):
    """While the mail server is away no heap grows: an hourly repeat adds none, and the end takes the first back."""
    desk.fate = lambda _mail: AWAY
    assert desk.line.alarm_now(ALARM, [""])
    desk.passes(minutes(61))
    assert desk.line.alarm_now(ALARM, [""]), "it is due to be told again"
    assert waiting(desk) == [("trouble", "deferred")]
    desk.line.recovered_now("smtp", [""])
    assert waiting(desk) == [("recovered", "queued")]
    desk.passes(minutes(61))
    desk.line.alarm_now(ALARM, [""])
    assert waiting(desk) == [("trouble", "queued")], "the news of before is out of date"
    desk.line.recovered_now("smtp", [""])
    desk.fate = lambda _mail: Sent()
    desk.passes(minutes(61))
    assert desk.kinds("it@desk.example") == ["recovered"]


def test_trouble_that_comes_back_within_the_hour_is_not_told_again(desk):
    """Once an hour for each kind, over recoveries too; an end is told only where its beginning was."""
    assert desk.line.alarm_now(ALARM, [""])
    desk.run()
    desk.line.recovered_now("smtp", [""])
    desk.run()
    assert desk.kinds("it@desk.example") == ["trouble", "recovered"]
    desk.passes(minutes(20))
    assert not desk.line.alarm_now(ALARM, [""])
    assert desk.store.alarms.get("smtp").since == desk.now
    desk.line.recovered_now("smtp", [""])
    desk.run()
    assert desk.kinds("it@desk.example") == ["trouble", "recovered"]
    desk.passes(minutes(41))
    assert desk.line.alarm_now(ALARM, [""])


def test_mails_that_cannot_be_had_are_one_alarm_for_each_folder(desk):
    """Told once; what comes to it within the hour is told after the hour, what stands there never again; other folders have their own."""
    ledger = DeskLedger(desk.store, desk.store, desk.line, lambda: desk.now)

    def tell(*uids: str, folder: str = "INBOX") -> list[str]:
        before = len(desk.sent)
        ledger.alarm_once_in_desk(unreadable_alarm("support", folder, dict.fromkeys(uids, "it hangs up")))
        desk.run()
        return [mail["Subject"].partition("mail ")[2] for mail in desk.sent[before:]]

    assert tell("2") == ["2 in INBOX of support"]
    assert tell("2", folder="Sent") == ["2 in Sent of support"]
    desk.passes(minutes(20))
    assert tell("2", "10") == []
    desk.passes(minutes(41))
    assert tell("10", "2") == ["2, 10 in INBOX of support"]
    desk.passes(minutes(60 * 24))
    assert tell("2", "10") == []
    ledger.recovered_in_desk(unreadable_kind("support", "INBOX"))
    desk.run()
    assert desk.sent[-1].kind == "recovered"
    assert "2, 10" in desk.sent[-1]["Subject"]
    assert tell("2", "10") == ["2, 10 in INBOX of support"]
    many = unreadable_alarm("support", "INBOX", {str(uid): "no" for uid in range(1, 31)})
    assert "mail 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more in" in many.what
    assert len(many.lines) == 21


def test_an_alarm_by_two_accounts_is_a_mail_by_each(desk):
    """The same words to the same people; by the one that is away it waits, by the other it goes."""
    desk.line.alarm_now(ALARM, ["", "backup"])
    desk.fate = lambda mail: Sent() if mail.account else AWAY
    desk.run()
    assert [mail.mail.account for mail in desk.sent_to("it@desk.example")] == ["backup"]
    desk.passes(minutes(61))
    desk.line.alarm_now(ALARM, ["", "backup"])
    desk.run()
    assert desk.kinds("it@desk.example") == ["trouble", "trouble"]
    assert waiting(desk) == [("trouble", "deferred")]


def test_a_mail_of_trouble_that_is_being_tried_waits_too(desk):
    """An hourly repeat just then adds no second one."""
    desk.line.alarm_now(ALARM, [""])
    assert len(desk.line.claim_due(16, "test")) == 1
    desk.now += minutes(61)
    assert desk.line.alarm_now(ALARM, [""])
    assert [mail.state for mail in desk.store.views.outbox()] == ["sending"]
