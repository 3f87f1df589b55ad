"""`doctor` on whole desks, healthy and sick, with real servers and a real store."""

from __future__ import annotations

import json
import os
import socket
import time
from datetime import UTC, datetime

import pytest

from mailtickets.store import Store
from tests.support.dovecot import Dovecot
from tests.support.smtp_sink import SmtpSink

pytestmark = pytest.mark.dovecot

# A file system of its own for one command, which is gone when that ends.
MOUNTING = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)), "sh", "-c")
TLS = """\
[mailbox.secure]
host = "127.0.0.1"
port = {port}
security = "{security}"
username = "{user}"
password = {{ file = "imap-password" }}
{more}
"""


def doctor(desk, *options, before=()):
    """Run it; return its exit code and what it found: check to (state, what, remedy)."""
    code, said = desk.run("doctor", "--json", *options, before=before)
    found = json.loads(said)
    assert all(list(one) == ["check", "state", "what", "remedy"] for one in found)
    assert all(one["remedy"] for one in found if one["state"] != "ok"), "no trouble without a remedy"
    assert code == (1 if any(one["state"] == "wrong" for one in found) else 0)
    return code, {one["check"]: (one["state"], one["what"], one["remedy"]) for one in found}


def of_state(found, state):
    return {check for check, (is_, *_) in found.items() if is_ == state}


def secure(desk, server, security="tls", more=""):
    """Give the desk a second mailbox, on a server with TLS."""
    port = server.imaps if security == "tls" else server.imap
    table = TLS.format(port=port, security=security, user=desk.user, more=more)
    desk.edit("[queue.support]", f"{table}\n[queue.support]\nmailbox = 'support'")


def trusted(server):
    return f'ca_file = "{server.ca_file}"'


def test_a_healthy_desk_beside_its_running_daemon(make_desk):
    """Nothing is wrong, exit code 0; nothing was sent, flagged or written, and the daemon works on."""
    desk = make_desk()
    desk.edit('poll = "2s"', 'poll = "2s"\nafter = "keep"')
    desk.folder.chmod(0o700)
    desk.start()
    desk.writes("ana@customer.example", "It burns.")
    desk.at_rest()
    sent, flags = len(desk.sink.mails), desk.dovecot.flags(desk.user)
    before = {
        path: path.read_bytes()
        for path in desk.folder.glob("*")
        if path.name in {"config.toml", "desk.db.lock"}
    }
    code, found = doctor(desk, "--deep")
    assert code == 0
    # What the machine's own clock says of itself is not the desk's.
    assert of_state(found, "warning") <= {"clock.synchronised"}
    assert found["mailbox.support.login"][1] == (
        f"logged in at 127.0.0.1:{desk.dovecot.imap} as {desk.user}; folder INBOX holds 1 mail"
    )
    assert found["daemon"][1].startswith(f"runs with pid {desk.process.pid}; last poll ")
    assert found["smtp.null_sender"][:2] == ("ok", "the null sender <> is taken")
    assert found["store.integrity"][0] == "ok"
    assert {"templates", "mailbox.support.idle", "mailbox.support.clock", "smtp.size", "disk.space", "clock.store",
            "permissions.files", "addresses", "mailbox.support.authserv_id"} <= set(found)  # fmt: skip
    assert (len(desk.sink.mails), desk.dovecot.flags(desk.user)) == (sent, flags)
    assert all(path.read_bytes() == content for path, content in before.items())
    desk.writes("ana@customer.example", "It still burns.")
    desk.at_rest()


def test_a_desk_before_its_first_start(desk):
    """Only warnings: the daemon does not run. No store is made, and unread mail stays unread."""
    desk.writes("ana@customer.example", "It burns.")
    names = sorted(path.name for path in desk.folder.iterdir())
    code, found = doctor(desk)
    assert (code, of_state(found, "warning") - {"clock.synchronised"}) == (0, {"daemon"})
    assert found["store"][1].endswith("is not there yet; the daemon makes it at its first start")
    assert sorted(path.name for path in desk.folder.iterdir()) == names
    assert desk.dovecot.flags(desk.user) == {1: set()}


def test_what_a_person_reads(desk):
    """Aligned columns, the remedy below what is not in order, the sum last; --quiet leaves out what is."""
    (desk.folder / "imap-password").chmod(0o640)
    code, said = desk.run("doctor")
    assert code == 0, said
    lines = said.splitlines()
    heads = [line for line in lines if not line.lstrip().startswith("->")][:-1]
    assert {line[:9].strip() for line in heads} == {"ok", "WARNING"}
    column = len("WARNING  mailbox.support  ")
    assert all(line[9] != " " and line[column - 1] == " " and line[column] != " " for line in heads)
    at = next(
        i for i, line in enumerate(lines) if "imap-password (mode 0640) can be read by its group" in line
    )
    assert lines[at + 1] == " " * column + f"-> chmod go-rwx {desk.folder / 'imap-password'}"
    assert lines[-1].startswith(f"{len(heads)} checks: 0 wrong, ")
    quiet = desk.run("doctor", "--quiet")[1]
    assert "imap-password" in quiet
    assert not any(line.startswith("ok ") for line in quiet.splitlines())


def test_every_trouble_of_a_sick_desk_is_told_at_once(make_desk):
    """A wrong password, a folder that is missing, an SMTP server that is down: the checks go on after each."""
    desk = make_desk()
    secure(desk, desk.dovecot, "starttls", f'{trusted(desk.dovecot)}\nfolder = "Nowhere"')
    (desk.folder / "wrong").write_text("hunter2\n")
    (desk.folder / "wrong").chmod(0o644)
    desk.edit('password = { file = "imap-password" }\npoll', 'password = { file = "wrong" }\npoll')
    desk.edit(f"port = {desk.sink.port}", "port = 1")
    code, found = doctor(desk)
    assert code == 1
    assert of_state(found, "wrong") == {
        "mailbox.support.login", "mailbox.secure.login", "smtp.login", "permissions.mailbox.support.password",
        "mailbox.secure.certificate",
    }  # fmt: skip
    assert found["mailbox.support.login"][1].startswith(f"the server refused user {desk.user}: ")
    assert (
        found["mailbox.support.login"][2]
        == f"check [mailbox.support] username and password (file {desk.folder / 'wrong'})"
    )
    assert found["mailbox.secure.login"][1:] == (
        "there is no folder Nowhere", "set folder in [mailbox.secure] to one of: INBOX"
    )  # fmt: skip
    assert found["smtp.login"][1:] == (
        "nothing listens on 127.0.0.1:1 (connection refused)", "check host and port in [smtp], and that the server runs"
    )  # fmt: skip
    assert "hunter2" not in str(found)


def test_folders_that_mail_goes_to(make_desk):
    """A target that is missing is made by the desk, so it is no trouble; a folder of sent mail is not made by anybody."""
    desk = make_desk()
    desk.edit('poll = "2s"', 'poll = "2s"\nafter = "move:Done"\nsent_folder = "Sent"')
    _, found = doctor(desk)
    assert found["mailbox.support.move"][:2] == ("ok", "decided mail is moved by MOVE")
    assert found["mailbox.support.target"][:2] == (
        "ok", "folder Done is not there yet; the desk makes it with the first mail"
    )  # fmt: skip
    assert found["mailbox.support.sent_folder"] == (
        "wrong", "there is no folder Sent", "set sent_folder in [mailbox.support] to one of: INBOX"
    )  # fmt: skip
    with desk.dovecot.client(desk.user) as client:
        client.create("Done")
        client.create("Sent")
    _, found = doctor(desk)
    assert found["mailbox.support.target"][1] == "folder Done is there"
    assert found["mailbox.support.sent_folder"][0] == "ok"


def test_a_server_without_idle_move_and_uidplus(make_desk):
    """Without IDLE mail is polled for; without both others moving leaves the mail where it is."""
    with Dovecot(extra="imap_capability = IMAP4rev1\n") as server:
        desk = make_desk()
        desk.edit(f"port = {desk.dovecot.imap}", f"port = {server.imap}")
        desk.edit('poll = "2s"', 'poll = "2s"\nafter = "move:Done"')
        _, found = doctor(desk)
    assert found["mailbox.support.idle"][:2] == ("ok", "the server has no IDLE; new mail is seen every 2s")
    assert found["mailbox.support.move"][0] == "warning"
    assert found["mailbox.support.move"][2] == 'set after = "seen" in [mailbox.support]'


@pytest.mark.parametrize(
    ("days", "state", "security"), [(2, "wrong", "tls"), (10, "warning", "starttls"), (60, "ok", "tls")]
)
def test_certificates_that_end_soon(make_desk, days, state, security):
    """On IMAP and SMTP, by both ways to TLS: ok, a warning below 21 days, wrong below 3."""
    with (
        Dovecot(days=days) as server,
        SmtpSink(security=security, certificates=server.ca_file.parent) as sink,
    ):
        desk = make_desk(server=sink)
        secure(desk, server, security, trusted(server))
        desk.edit(
            'security = "none"\n\n\n[mailbox.support]',
            f'security = "{security}"\n{trusted(server)}\n[mailbox.support]',
        )
        code, found = doctor(desk)
    assert {found[f"{area}.certificate"][0] for area in ("mailbox.secure", "smtp")} == {state}
    assert {found[f"{area}.login"][0] for area in ("mailbox.secure", "smtp")} == {"ok"}
    left = "47 hours" if days == 2 else f"{days - 1} days"
    assert f"UTC ({left})" in found["mailbox.secure.certificate"][1]
    assert code == (1 if state == "wrong" else 0)


def test_a_certificate_is_seen_also_where_the_password_is_wrong(make_desk):
    """Two troubles of one server are two lines, in one go."""
    with Dovecot(days=10) as server:
        desk = make_desk()
        secure(desk, server, "tls", trusted(server))
        (desk.folder / "imap-password").write_text("wrong\n")
        _, found = doctor(desk)
    assert found["mailbox.secure.login"][0] == "wrong"
    assert found["mailbox.secure.certificate"][0] == "warning"


@pytest.mark.parametrize(
    ("server", "more", "what", "remedy"),
    [
        ({}, "", "not signed by a CA this machine trusts", "set ca_file in [mailbox.secure] to the certificate of the CA"),
        ({"names": "DNS:elsewhere.example"}, "ca", "not for that name", "set host in [mailbox.secure] to a name"),
        ({"days": 0}, "ca", "has expired", "renew it on the server"),
    ],
)  # fmt: skip
def test_certificates_that_cannot_be_trusted(make_desk, server, more, what, remedy):
    """An unknown CA, another name, an old one: no login is tried, and the remedy says which it is."""
    with Dovecot(**server) as dovecot:
        desk = make_desk()
        secure(desk, dovecot, "tls", trusted(dovecot) if more else "")
        _, found = doctor(desk)
    state, said, do = found["mailbox.secure.login"]
    assert (state, what in said, remedy in do) == ("wrong", True, True), (said, do)


def test_an_smtp_server_that_refuses_senders_and_takes_little(make_desk):
    """The null sender is asked about and no mail is sent; with envelope = "bounce" it is not asked about."""
    with SmtpSink(max_size=10_240_000, utf8=False, dsn=False) as sink:
        desk = make_desk(server=sink)
        sink.answers.senders[""] = "550 5.7.1 we want a name"
        sink.answers.senders[desk.address] = "553 5.7.1 not yours"
        code, found = doctor(desk)
        assert code == 1
        assert found["smtp.null_sender"] == (
            "wrong",
            "the null sender <> is refused, so no acknowledgement goes out: 550 5.7.1 we want a name",
            'set envelope = "bounce" in [smtp]',
        )
        assert found[f"smtp.sender.{desk.address}"][0] == "wrong"
        assert found["smtp.size"][0] == "warning"
        assert "no SMTPUTF8" in found["smtp.offers"][1]
        desk.edit('security = "none"\n\n', 'security = "none"\nenvelope = "bounce"\nmax_size = "10MB"\n')
        sink.answers.senders.clear()
        code, found = doctor(desk)
        assert (code, found["smtp.size"][0], "smtp.null_sender" in found) == (0, "ok", False)
        assert sink.mails == []


def test_a_server_that_says_nothing_is_given_up(make_desk):
    """A port that accepts and is silent, on both sides: told within the time of a check, and the others are made."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        desk = make_desk()
        port = silent.getsockname()[1]
        desk.edit(f"port = {desk.dovecot.imap}", f"port = {port}")
        desk.edit(f"port = {desk.sink.port}", f"port = {port}")
        started = time.monotonic()
        _, found = doctor(desk)
    assert time.monotonic() - started < 30
    for area in ("mailbox.support", "smtp"):
        assert (found[f"{area}.login"][0], "in time" in found[f"{area}.login"][1]) == ("wrong", True), found
    assert found["disk.space"]


def test_a_disk_that_is_nearly_full(desk):
    """Less than 50 MB free where the store lies is wrong."""
    script = f'mount -t tmpfs -o size=40m tmpfs {desk.folder / "var"} && exec "$@"'
    (desk.folder / "var").mkdir(mode=0o700)
    desk.edit('store = "desk.db"', 'store = "var/desk.db"')
    code, found = doctor(desk, before=(*MOUNTING, script, "sh"))
    assert code == 1
    state, said, remedy = found["disk.space"]
    assert (state, said.startswith(f"42 MB free on {desk.folder / 'var'}; ")) == ("wrong", True), said
    assert remedy == f"make room on {desk.folder / 'var'}: `du -xh {desk.folder / 'var'} | sort -h | tail`"


def test_a_disk_that_is_mounted_read_only(desk):
    """As file systems are after an error of the disk: the store is still looked into where that is possible."""
    folder = desk.folder / "var"
    script = f'mount -t tmpfs -o size=60m,ro tmpfs {folder} && exec "$@"'
    folder.mkdir(mode=0o700)
    desk.edit('store = "desk.db"', 'store = "var/desk.db"')
    _, found = doctor(desk, before=(*MOUNTING, script, "sh"))
    assert found["disk.writable"][0] == "wrong"
    assert found["disk.writable"][2].endswith(f"`mount -o remount,rw {folder}`")


def test_a_clock_that_went_back(desk):
    """The store was written, and the newest mail arrived, later than it is now: both are told."""
    desk.start()
    desk.writes("ana@customer.example", "It burns.")
    desk.at_rest()
    (desk.folder / "shift").write_text(f"{-3 * 3600}")
    code, found = doctor(desk, before=("env", f"MAILTICKETS_CLOCK={desk.folder / 'shift'}"))
    assert (code, found["clock.store"][0]) == (1, "wrong")
    assert "the clock went back" in found["clock.store"][1]
    assert found["mailbox.support.clock"][0] == "warning"
    assert " from now: the clocks differ" in found["mailbox.support.clock"][1]


def test_mail_to_an_alias_that_is_not_configured(desk):
    """It became a ticket of the first queue; doctor lists the address with the line to add, and is content with it."""
    desk.start()
    raw = desk.mail(
        "ana@customer.example",
        "x",
        to="help@desk.example",
        Authentication_Results="mx.desk.example; spf=pass",
    )
    desk.dovecot.append(desk.user, raw)  # by LMTP it would carry Delivered-To of the queue
    desk.at_rest(received=1, seconds=30)
    _, found = doctor(desk)
    state, said, remedy = found["addresses.support"]
    assert (state, "help@desk.example (1)" in said) == ("warning", True)
    line = 'aliases = ["help@desk.example"]'
    assert f"{line} in [queue.support]" in remedy
    assert (
        '"mx.desk.example" stand on 1 of the newest mails (1 looked at)'
        in found["mailbox.support.authserv_id"][1]
    )
    desk.edit('tag = "SUP"', f'tag = "SUP"\n{line}')
    desk.edit('poll = "2s"', 'poll = "2s"\nauthserv_id = "mx.desk.example"')
    _, found = doctor(desk)
    assert (found["addresses"][0], found["mailbox.support.authserv_id"][0]) == ("ok", "ok")


def test_a_maildir(make_desk, tmp_path):
    """Its mails are counted and stay where they are; a folder that cannot be one is told."""
    folder = tmp_path / "Maildir"
    desk = make_desk(mailbox=f'maildir = "{folder}"')
    _, found = doctor(desk)
    assert found["mailbox.support.maildir"][0] == "wrong"
    assert f"{folder} is no Maildir" in found["mailbox.support.maildir"][1]
    for part in ("new", "cur"):
        (folder / part).mkdir(parents=True)
    (folder / "new" / "1.x").write_bytes(desk.mail("ana@customer.example", "x"))
    _, found = doctor(desk)
    assert found["mailbox.support.maildir"][:2] == ("ok", f"{folder} holds 1 mail")
    assert found["mailbox.support.tmp"][2] == f"mkdir {folder / 'tmp'}"
    (folder / "tmp").mkdir()
    code, found = doctor(desk)
    assert (code, "mailbox.support.tmp" in found) == (0, False)
    assert [path.name for path in (folder / "new").iterdir()] == ["1.x"]


def test_a_maildir_that_the_daemon_may_not_write(make_desk, tmp_path):
    """Judged for the user that owns the store, also where root asks."""
    folder = tmp_path / "Maildir"
    desk = make_desk(mailbox=f'maildir = "{folder}"')
    for part in ("new", "cur", "tmp"):
        (folder / part).mkdir(parents=True)
        (folder / part).chmod(0o555)
    Store.open(desk.folder / "desk.db", datetime.now(UTC)).close()
    if os.geteuid() == 0:
        os.chown(desk.folder / "desk.db", 65534, 65534)
    _, found = doctor(desk)
    assert {found[f"permissions.mailbox.support.{part}"][0] for part in ("new", "cur")} == {"wrong"}


def test_a_store_that_is_damaged(desk):
    """--deep reads every page, and says what to put in its place; without it the head of the file is enough to open it."""
    path = desk.folder / "desk.db"
    store = Store.open(path, datetime.now(UTC))
    for number in range(400):
        store.set_setting(f"filling {number}", "x" * 500)
    store.close()
    with path.open("r+b") as file:
        for page in range(path.stat().st_size // 4096 - 8, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xff" * 2000)
    _, found = doctor(desk, "--deep")
    wrong = {check: found[check] for check in of_state(found, "wrong") if check.startswith("store")}
    assert wrong, found
    assert any("backup" in remedy for _, _, remedy in wrong.values()), wrong


def test_a_store_that_is_no_store(desk):
    """One line for the store, though several checks read it; whether the daemon runs is said all the same."""
    (desk.folder / "desk.db").write_bytes(b"x" * 9999)
    (desk.folder / "desk.db").chmod(0o600)
    code, found = doctor(desk)
    assert (code, of_state(found, "wrong")) == (1, {"store"})
    assert found["store"][1] == f"{desk.folder / 'desk.db'}: cannot be read (file is not a database)"
    assert found["daemon"][:2] == ("warning", "does not run; its last poll cannot be read")


def test_root_leaves_the_stores_files_to_the_daemons_user(desk):
    """Reading makes the store's -wal and -shm anew; they must belong to the store's owner, or the daemon is locked out."""
    path = desk.folder / "desk.db"
    Store.open(path, datetime.now(UTC)).close()
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(path, owner, -1)
    _, found = doctor(desk)
    assert {one.name: one.stat().st_uid for one in desk.folder.glob("desk.db*")} == {
        "desk.db": owner, "desk.db-wal": owner, "desk.db-shm": owner,
    }  # fmt: skip
    assert ("permissions.root" in found) == (os.geteuid() == 0)


def test_a_file_that_is_no_configuration(desk):
    """Every problem is a line with its place; exit code 1, and --json stays an array."""
    desk.edit('tag = "SUP"', 'tag = "x"')
    desk.edit('agents = ["kim", "lee"]', 'agents = ["kim", "le"]')
    code, found = doctor(desk)
    assert (code, set(found)) == (
        1,
        {"configuration.queue.support.tag", "configuration.queue.support.agents[2]"},
    )
    assert "config.toml:" in found["configuration.queue.support.tag"][1]


def test_a_password_that_only_systemd_has(make_desk, tmp_path):
    """A credential of the daemon's unit is not at hand for a person: no fault of the desk, and the way to lend it is told."""
    desk = make_desk()
    desk.edit('password = { file = "imap-password" }\npoll', 'password = { credential = "imap" }\npoll')
    code, found = doctor(desk)
    state, said, remedy = found["mailbox.support.login"]
    assert (code, state, said.startswith("not tried: ")) == (0, "warning", True)
    assert (
        f"CREDENTIALS_DIRECTORY=/run/credentials/mailtickets.service mailtickets --config {desk.config}"
        in remedy
    )
    (tmp_path / "imap").write_text("secret\n")
    _, found = doctor(desk, before=("env", f"CREDENTIALS_DIRECTORY={tmp_path}"))
    assert found["mailbox.support.login"][0] == "ok"


def test_every_way_of_alarm_is_looked_at_and_rung_on_demand(make_desk):
    """A pager that is not there is a warning of `check` and wrong for `doctor`; with --alert each way is told one test."""
    desk = make_desk()
    page = desk.folder / "page"
    page.write_text(
        f'#!/bin/sh\necho "$MAILTICKETS_KIND" >> {desk.folder}/pages\ncat >> {desk.folder}/words\n'
    )
    page.chmod(0o700)
    admins = next(line for line in desk.config.read_text().splitlines() if line.startswith("admins = "))
    alert = f'alert = ["mail", {{ command = ["{page}", "-x"] }}, {{ command = ["{desk.folder}/gone"] }}]'
    desk.edit(admins, f"{admins}\n{alert}")
    desk.start()
    code, said = desk.run("check")
    assert code == 0, said
    assert f"there is no command {desk.folder}/gone" in said
    assert str(page) not in said
    code, said = desk.run("doctor")
    assert code == 1
    assert f"there is no command {desk.folder}/gone: outages are not told by it" in said
    assert f"{page} can be run" in said
    assert not (desk.folder / "pages").exists(), "nothing is rung unasked"
    assert not desk.to("it@desk.example")

    sent = len(desk.sink.mails)
    code, said = desk.run("doctor", "--alert")
    assert code == 1
    assert f"{page} was run with a test text, and ended well" in said
    assert "[smtp] took a test mail to " in said
    assert (desk.folder / "pages").read_text() == "test\n"
    assert "This is a test of the alarm" in (desk.folder / "words").read_text()
    assert len(desk.sink.mails) == sent + 1

    page.write_text("#!/bin/sh\nexit 3\n")
    assert "failed with exit code 3" in desk.run("doctor", "--alert")[1]
