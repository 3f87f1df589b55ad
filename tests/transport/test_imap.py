"""The IMAP door against a real Dovecot; scripted servers only for faults."""

from __future__ import annotations

import contextlib
import itertools
import resource
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from mailtickets.errors import CommandRefused, CredentialUnavailable, MailboxUnavailable, Retry
from mailtickets.transport.backoff import backoff
from mailtickets.transport.imap import ImapMailbox
from mailtickets.transport.imap_account import ImapAccount
from mailtickets.transport.network import Security
from tests.support.dovecot import PASSWORD, Dovecot, make_certificates
from tests.support.scripted import Fault, Line, ScriptedImap, fetched, says, stalls

MAIL = b"From: ana@customer.example\r\nSubject: %s\r\n\r\nIt does not print.\r\n"


Opener = Callable[[ImapAccount], ImapMailbox]


@pytest.fixture
def mailbox(dovecot: Dovecot, account: str) -> Iterator[ImapMailbox]:
    """A mailbox over TLS, not connected yet."""
    box = ImapMailbox(described(dovecot, account))
    yield box
    box.close()


@pytest.fixture
def opened() -> Iterator[Opener]:
    """Connects a mailbox and closes it after the test."""
    with contextlib.ExitStack() as stack:

        def opener(account: ImapAccount) -> ImapMailbox:
            box = ImapMailbox(account)
            stack.callback(box.close)
            box.connect()
            return box

        yield opener


def described(dovecot: Dovecot, user: str) -> ImapAccount:
    return ImapAccount(
        "support",
        "localhost",
        user,
        dovecot.imaps,
        password=lambda: PASSWORD,
        ca_file=dovecot.ca_file,
        timeout=10,
    )


def plain(port: int, **changes) -> ImapAccount:
    """An account on a scripted server."""
    account = ImapAccount(
        "support", "127.0.0.1", "support", port, Security.NONE, lambda: PASSWORD, timeout=2, connect_timeout=2
    )
    return replace(account, **changes)


def refusal(account: ImapAccount) -> MailboxUnavailable:
    """Return why one cannot connect."""
    box = ImapMailbox(account)
    with pytest.raises(MailboxUnavailable) as caught:
        box.connect()
    box.close()
    return caught.value


def waiting(box: ImapMailbox, seconds: float, then: Callable[[], None]) -> bool:
    """Wait on the mailbox; run `then` from another thread once it is idling."""
    begun = threading.Thread(target=then)
    begun.start()
    try:
        return box.wait(seconds)
    finally:
        begun.join()


# Reading


def test_fetches_delivered_mail_without_changing_its_flags(
    dovecot: Dovecot, account: str, mailbox: ImapMailbox
):
    """Mail comes whole, in order, and is as unseen afterwards as it was."""
    for number in range(3):
        dovecot.deliver(MAIL % b"%d" % number, account)
    mailbox.connect()

    mails = list(mailbox.fetch(mailbox.new_uids(0)))

    assert [mail.uid for mail in mails] == [1, 2, 3]
    assert [mail.raw.count(b"Subject: %d\r\n" % number) for number, mail in enumerate(mails)] == [1, 1, 1]
    assert all(mail.size == len(mail.raw) and not mail.truncated for mail in mails)
    assert dovecot.flags(account) == {1: set(), 2: set(), 3: set()}


@pytest.mark.parametrize("security", list(Security))
def test_every_kind_of_connection_reads_mail(
    opened: Opener, dovecot: Dovecot, account: str, security: Security
):
    """TLS, STARTTLS, and clear text to this machine."""
    dovecot.deliver(MAIL % b"x", account)
    port = dovecot.imaps if security is Security.TLS else dovecot.imap
    box = opened(replace(described(dovecot, account), security=security, port=port))
    assert box.new_uids(0) == [1]


def test_internal_date_is_aware_and_in_utc(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """A mail that came at 12:00 in a zone two hours east came at 10:00 UTC."""
    dovecot.append(
        account, MAIL % b"x", when=datetime(2026, 3, 4, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    )
    mailbox.connect()
    (mail,) = mailbox.fetch([1])
    assert mail.internal_date == datetime(2026, 3, 4, 10, 0, tzinfo=UTC)
    assert mail.internal_date.tzinfo is UTC
    assert mailbox.arrivals([1, 99]) == {1: mail.internal_date}


def test_only_uids_above_the_last_one_are_new(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """The search "n:*" also gives the last mail where that is below n; it is not new."""
    dovecot.deliver(MAIL % b"x", account)
    dovecot.deliver(MAIL % b"y", account)
    mailbox.connect()
    assert (mailbox.new_uids(0), mailbox.new_uids(1), mailbox.new_uids(2), mailbox.new_uids(900)) == (
        [1, 2],
        [2],
        [],
        [],
    )


def test_many_mails_come_in_batches_of_one_fetch_each(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """120 mails are all there, in order, with the sizes that were asked for first."""
    with dovecot.client(account) as client:
        for number in range(120):
            client.append("INBOX", "", "", MAIL % b"%d" % number)
    mailbox.connect()
    uids = mailbox.new_uids(0)
    sizes = mailbox.sizes(uids)
    mails = list(mailbox.fetch(uids))
    assert [mail.uid for mail in mails] == uids == list(range(1, 121))
    assert sizes == {mail.uid: len(mail.raw) for mail in mails}


@pytest.mark.fault("Fetch", "mail moved, deleted or expunged meanwhile")
def test_mail_expunged_since_the_search_is_absent_and_no_error(
    dovecot: Dovecot, account: str, mailbox: ImapMailbox
):
    """Another mail program removes one of three mails between our search and our fetch."""
    for number in range(3):
        dovecot.deliver(MAIL % b"%d" % number, account)
    mailbox.connect()
    uids = mailbox.new_uids(0)
    mailbox.sizes(uids)
    with dovecot.client(account, "INBOX") as client:
        client.uid("store", "2", "+FLAGS", "(\\Deleted)")
        client.expunge()
    assert [mail.uid for mail in mailbox.fetch(uids)] == [1, 3]
    assert mailbox.unreadable == {}
    assert mailbox.fetch_head(2) is None
    assert mailbox.new_uids(0) == [1, 3]


def test_of_an_oversize_mail_only_the_beginning_is_read(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """Header and the first 64 KB of text of a 3 MB mail, and its true size."""
    head = MAIL % b"large"
    dovecot.append(account, head + b"line of text, 32 bytes long....\r\n" * 90_000)
    mailbox.connect()
    mail = mailbox.fetch_head(1)
    assert mail is not None
    assert mail.truncated
    assert mail.size == mailbox.sizes([1])[1] > 2_900_000
    assert mail.raw.startswith(head)
    assert len(mail.raw) == head.index(b"\r\n\r\n") + 4 + 65_536


def test_hostile_bytes_come_as_the_server_has_them(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """Quotes, braces and 8-bit bytes in a mail are data, not protocol."""
    raw = b'Subject: {5}\r\nX: ") UID 7 FLAGS ("\r\n\r\n\xff\xfe{99}\r\n* BYE\r\nA1 OK done\r\n)\r\n'
    dovecot.append(account, raw)
    mailbox.connect()
    (mail,) = mailbox.fetch([1])
    assert mail.raw == raw


@pytest.mark.dovecot
def test_uidvalidity_survives_a_restart_and_the_mailbox_reconnects(opened: Opener, account: str):
    """A restart breaks the connection with a reason; connecting again finds the same folder."""
    with Dovecot() as own:
        own.deliver(MAIL % b"x", account)
        box = opened(described(own, account))
        before = box.uidvalidity
        own.restart()
        with pytest.raises(MailboxUnavailable) as caught:
            box.new_uids(0)
        assert caught.value.retry is Retry.SOON
        box.connect()
        assert (box.uidvalidity, box.new_uids(0)) == (before, [1])


# Marking


def test_mark_as_seen_touches_only_the_given_mails(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """Of three mails the two handled ones are seen; "keep" changes nothing; a UID that has gone is no error."""
    for number in range(3):
        dovecot.deliver(MAIL % b"%d" % number, account)
    mailbox.connect()
    mailbox.mark([1, 3, 99], "seen")
    mailbox.mark([2], "keep")
    assert dovecot.flags(account) == {1: {"\\Seen"}, 2: set(), 3: {"\\Seen"}}


@pytest.mark.parametrize("folder", ["Done", "Archiv/Erledigt & fertig", "Gelöscht"])
def test_move_makes_the_target_folder(dovecot: Dovecot, account: str, mailbox: ImapMailbox, folder: str):
    """A folder that is missing is created, also with a name beyond ASCII, and the mail is there and not here."""
    dovecot.deliver(MAIL % b"one", account)
    dovecot.deliver(MAIL % b"two", account)
    mailbox.connect()
    mailbox.mark([1], f"move:{folder}")
    assert dovecot.subjects(account) == ["two"]
    mailbox.mark([2], f"move:{folder}")
    assert dovecot.flags(account) == {}


@pytest.mark.dovecot
@pytest.mark.parametrize("uidplus", [True, False])
def test_move_without_the_move_command_never_removes_mail_of_others(
    opened: Opener, account: str, uidplus: bool
):
    """By UIDPLUS only our mail is expunged, not the one that somebody else marked as deleted; without, nothing is."""
    capabilities = "IMAP4rev1 LITERAL+ NAMESPACE" + (" UIDPLUS" if uidplus else "")
    with Dovecot(extra=f"imap_capability = {capabilities}\n") as own:
        own.deliver(MAIL % b"theirs", account)
        own.deliver(MAIL % b"ours", account)
        with own.client(account, "INBOX") as client:
            client.uid("store", "1", "+FLAGS", "(\\Deleted)")
        box = opened(described(own, account))
        box.mark([2], "move:Done")
        assert own.subjects(account, "Done") == ["ours"]
        assert own.flags(account) == {1: {"\\Deleted"}} | ({} if uidplus else {2: {"\\Seen"}})


def test_a_readonly_mailbox_is_never_marked(opened: Opener, dovecot: Dovecot, account: str):
    """Opened by EXAMINE; marking is refused and the mailbox stays usable."""
    dovecot.deliver(MAIL % b"x", account)
    box = opened(replace(described(dovecot, account), readonly=True))
    with pytest.raises(CommandRefused):
        box.mark([1], "seen")
    assert [mail.uid for mail in box.fetch(box.new_uids(0))] == [1]
    assert dovecot.flags(account) == {1: set()}


# Waiting


def test_wait_ends_when_mail_comes(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """IDLE tells of a delivery within a moment, and the mail is then found."""
    mailbox.connect()
    assert mailbox.new_uids(0) == []
    assert waiting(mailbox, 30, lambda: dovecot.deliver(MAIL % b"x", account))
    assert mailbox.new_uids(0) == [1]


def test_wait_sees_mail_that_came_before_it(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """A mail between the search and the wait ends the wait at once, not at its timeout."""
    mailbox.connect()
    assert mailbox.new_uids(0) == []
    dovecot.deliver(MAIL % b"x", account)
    begun = time.monotonic()
    assert mailbox.wait(30)
    assert time.monotonic() - begun < 10


def test_wait_sees_mail_told_of_by_an_earlier_command(dovecot: Dovecot, account: str, mailbox: ImapMailbox):
    """The server tells of a mail only once; where that was in the answer to STORE, the wait must know."""
    dovecot.deliver(MAIL % b"x", account)
    mailbox.connect()
    assert mailbox.new_uids(0) == [1]
    dovecot.deliver(MAIL % b"y", account)
    mailbox.mark([1], "seen")
    assert mailbox.wait(30)
    assert mailbox.new_uids(1) == [2]


def test_wake_ends_the_wait_and_leaves_the_connection_in_order(mailbox: ImapMailbox):
    """From another thread, during the wait and before it."""
    mailbox.connect()
    assert mailbox.new_uids(0) == []
    assert waiting(mailbox, 30, mailbox.wake) is False
    mailbox.wake()
    assert mailbox.wait(30) is False
    assert mailbox.new_uids(0) == []


def test_wait_ends_at_its_time(opened: Opener, dovecot: Dovecot, account: str):
    """In several stretches of IDLE, and without IDLE; flags set by others are no news."""
    dovecot.deliver(MAIL % b"x", account)
    for changes in ({"idle_seconds": 0.1}, {"idle": False}):
        box = opened(replace(described(dovecot, account), **changes))
        box.new_uids(0)
        with dovecot.client(account, "INBOX") as client:
            client.uid("store", "1", "+FLAGS", "(\\Flagged)")
        assert box.wait(0.3) is False


def test_without_idle_the_wait_still_finds_mail(opened: Opener, dovecot: Dovecot, account: str):
    """NOOP at the end of the wait asks the server."""
    box = opened(replace(described(dovecot, account), idle=False))
    assert box.new_uids(0) == []
    assert waiting(box, 1.0, lambda: dovecot.deliver(MAIL % b"x", account))


def test_idle_reads_lines_that_come_in_pieces(opened: Opener):
    """A line split over two segments is one line, and lines before the server's "+" are heard."""

    def idles(line: Line, tag: bytes) -> None:
        line.say(b"* 1 FETCH (FLAGS ())\r\n+ idl")
        line.say(b"ing\r\n* 4 EXI")
        time.sleep(0.1)  # the segment must arrive by itself
        line.say(b"STS\r\n")
        line.hear()
        line.say(tag + b" OK done\r\n")

    with ScriptedImap(faults={"IDLE": idles}) as server:
        box = opened(plain(server.port))
        box.new_uids(0)
        assert box.wait(30) is True
        assert server.heard[-1] == b"DONE"


@pytest.mark.parametrize("ending", [b"", b"* BYE maintenance\r\n"], ids=["eof", "bye"])
def test_a_server_that_hangs_up_while_idling_is_noticed_at_once(opened: Opener, ending: bytes):
    """End of file and BYE end the wait with an error; it never spins."""
    with ScriptedImap(faults={"IDLE": says(b"+ idling\r\n", ending, hang_up=True)}) as server:
        box = opened(plain(server.port))
        box.new_uids(0)
        with pytest.raises(MailboxUnavailable):
            box.wait(30)


def test_idle_that_is_refused_is_not_tried_again(opened: Opener):
    """A server that offers IDLE and says NO is asked by NOOP from then on."""
    with ScriptedImap(faults={"IDLE": says(b"{tag} NO not today\r\n")}) as server:
        box = opened(plain(server.port))
        assert box.new_uids(0) == []
        assert box.wait(0.2) is False
        assert box.wait(0.2) is False
        assert sum(b"IDLE" in line for line in server.heard) == 1


# What goes wrong, in words


def test_wrong_password_is_told_as_such(dovecot: Dovecot, account: str):
    """It names user, server's words and the keys to check, and is not tried again soon."""
    wrong = replace(described(dovecot, account), password=lambda: "wrong", password_from="file imap-password")
    error = refusal(wrong)
    assert error.retry is Retry.SLOW
    assert f"the server refused user {account}: [AUTHENTICATIONFAILED]" in str(error)
    assert "check [mailbox.support] username and password (file imap-password)" in str(error)


@pytest.mark.parametrize("password", ["pässword", "two\r\nA9 DELETE INBOX", 'quo"te\\'])
def test_odd_letters_in_a_password_are_sent_safely(dovecot: Dovecot, account: str, password: str):
    """They are refused as a wrong password is; a line break is no second command."""
    error = refusal(replace(described(dovecot, account), password=lambda: password))
    assert "the server refused user" in error.reason


def test_unknown_ca_is_told_with_the_key_to_set(dovecot: Dovecot, account: str, tmp_path):
    """Against the system's CAs and against another CA file."""
    make_certificates(tmp_path)
    for ca_file in (None, tmp_path / "ca.pem"):
        error = refusal(replace(described(dovecot, account), ca_file=ca_file))
        assert "is not signed by a CA this machine trusts" in error.reason
        assert "set ca_file in [mailbox.support]" in error.remedy


@pytest.mark.dovecot
@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
def test_a_certificate_for_another_name_is_refused(account: str, security: Security):
    """The chain is good, the name is not."""
    with Dovecot(names="DNS:mail.elsewhere.example") as own:
        port = own.imaps if security is Security.TLS else own.imap
        error = refusal(replace(described(own, account), security=security, port=port))
    assert "the certificate that localhost shows is not for that name" in error.reason


def test_no_such_folder_lists_the_folders_there_are(dovecot: Dovecot, account: str):
    """So that a person can pick one."""
    with dovecot.client(account) as client:
        client.create("Support")
    error = refusal(replace(described(dovecot, account), folder="Suport"))
    assert error.reason == "there is no folder Suport"
    assert error.remedy == "set folder in [mailbox.support] to one of: INBOX, Support"


def test_tls_to_a_plain_port_says_so(dovecot: Dovecot, account: str):
    """And names STARTTLS."""
    error = refusal(replace(described(dovecot, account), port=dovecot.imap))
    assert "does not speak TLS from the first byte" in error.reason


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
def test_refused_connection_and_unknown_name_are_told(dovecot: Dovecot, account: str):
    """With the keys to check."""
    assert "nothing listens on localhost:1" in refusal(replace(described(dovecot, account), port=1)).reason
    error = refusal(replace(described(dovecot, account), host="nosuch.invalid"))
    assert "nosuch.invalid" in error.reason
    assert "host in [mailbox.support]" in error.remedy


def test_clear_text_leaves_this_machine_never():
    """Security = "none" is refused for another host before anything is sent."""
    error = refusal(plain(143, host="mail.desk.example"))
    assert "clear text" in error.reason


def test_missing_ca_file_is_told(dovecot: Dovecot, account: str, tmp_path):
    """Missing and not a certificate."""
    (tmp_path / "empty.pem").write_text("nothing")
    for name in ("missing.pem", "empty.pem"):
        error = refusal(replace(described(dovecot, account), ca_file=tmp_path / name))
        assert name in error.reason
        assert "set ca_file in [mailbox.support]" in error.remedy


def test_starttls_is_never_given_up():
    """A server that takes STARTTLS away, or greets as if logged in, gets neither user name nor password."""
    for greeting in (b"* OK ready\r\n", b"* PREAUTH welcome\r\n"):
        with ScriptedImap(faults={"greeting": says(greeting)}) as server:
            error = refusal(plain(server.port, security=Security.STARTTLS))
            assert "does not offer STARTTLS" in error.reason
            assert not [line for line in server.heard if b"LOGIN" in line or b"AUTHENTICATE" in line]


def test_bytes_behind_starttls_are_not_read_as_protected():
    """Whoever puts an answer behind the OK wants it taken for one that came by TLS."""
    faults: dict[str, Fault] = {"STARTTLS": says(b"{tag} OK go\r\n* CAPABILITY IMAP4rev1\r\n")}
    with ScriptedImap(faults=faults, capabilities=b"IMAP4rev1 STARTTLS") as server:
        assert "unprotected bytes" in refusal(plain(server.port, security=Security.STARTTLS)).reason


@pytest.mark.fault("Connect, login", "NO [LIMIT], throttle, BYE, drop, silence")
@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
@pytest.mark.parametrize(
    ("answer", "retry", "words"),
    [
        (says(b"{tag} NO [UNAVAILABLE] try later\r\n"), Retry.SOON, "does not let us in now: [UNAVAILABLE] try later"),
        (says(b"{tag} NO [LIMIT] Too many connections\r\n"), Retry.SOON, "does not let us in now: [LIMIT]"),
        (says(b"{tag} NO [ALERT] Too many simultaneous connections\r\n"), Retry.SOON, "does not let us in now"),
        (says(b"* BYE closing for maintenance\r\n", hang_up=True), Retry.SOON, "closing for maintenance"),
        (says(hang_up=True), Retry.SOON, "the server closed the connection (while logging in)"),
        (says(b"{tag} NO Login failed.\r\n"), Retry.SLOW, "refused user support: Login failed"),
        (says(b"{tag} NO [AUTHENTICATIONFAILED] no\r\n"), Retry.SLOW, "refused user support: [AUTHENTICATIONFAILED] no"),
    ],
)  # fmt: skip
def test_login_tells_refused_credentials_from_a_server_in_trouble(answer: Fault, retry: Retry, words: str):
    """Only the former are tried again slowly."""
    with ScriptedImap(faults={"LOGIN": answer}) as server:
        error = refusal(plain(server.port))
    assert error.retry is retry
    assert words in error.reason


def test_a_silent_server_is_given_up_after_the_timeout():
    """At the greeting and within a command."""
    for name in ("greeting", "UID SEARCH"):
        with ScriptedImap(faults={name: stalls}) as server:
            box = ImapMailbox(plain(server.port, timeout=0.3))
            with pytest.raises(MailboxUnavailable, match="no answer from") as caught:  # noqa: PT012 - either may
                box.connect()
                box.new_uids(0)
            assert caught.value.retry is Retry.SOON
            box.close()


def test_a_server_too_busy_to_greet_is_told_in_its_own_words():
    """A BYE instead of a greeting."""
    with ScriptedImap(faults={"greeting": says(b"* BYE too many users\r\n", hang_up=True)}) as server:
        assert "too many users" in refusal(plain(server.port)).reason


def test_alerts_are_kept_for_people(opened: Opener):
    """RFC 3501 section 7.1: the text of ALERT must be shown."""
    with ScriptedImap(faults={"greeting": says(b"* OK [ALERT] disk almost full\r\n")}) as server:
        box = opened(plain(server.port))
        assert box.take_alerts() == ("disk almost full",)
        assert box.take_alerts() == ()


def test_a_slow_answer_tells_that_it_moves():
    """While a mail drips it is said once a second at most; while nothing comes nothing is said."""
    raw = MAIL % b"slow" + b"It burns.\r\n" * 100
    whole = fetched(1, raw)

    def drips(line: Line, tag: bytes) -> None:
        for start in range(0, len(whole), 50):
            line.say(whole[start : start + 50])
            time.sleep(3.0 / (len(whole) / 50))
        line.say(tag + b" OK done\r\n")

    with ScriptedImap([raw]) as server:
        box, moved = ImapMailbox(plain(server.port, timeout=10)), list[float]()
        box.moved = lambda: moved.append(time.monotonic())
        box.connect()
        box.sizes([1])
        server.faults["UID FETCH"] = drips
        time.sleep(1.5)
        moved.clear()
        assert [mail.raw for mail in box.fetch([1])] == [raw]
        box.close()
    assert 2 <= len(moved) <= 6
    assert all(later - earlier >= 1.0 for earlier, later in itertools.pairwise(moved))


# Hostile servers


@pytest.mark.fault("Connect, login", "garbage, endless line, negative literal")
@pytest.mark.parametrize(
    "answer",
    [
        says(b"x" * 3_000_000, b"\r\n"),
        says(*[b"* OK still thinking about it, please wait a little longer\r\n" * 1000] * 200),
        says(b"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n"),
        says(b"* 1 FETCH (UID 1 BODY[] {" + b"9" * 5000 + b"}\r\n"),
        says(b"* 1 FETCH (UID 1 BODY[] {-5}\r\nabc)\r\n{tag} OK\r\n"),
        says(b"* 1 FETCH (" + b"(" * 100_000 + b"\r\n{tag} OK\r\n"),
        says(b'* 1 FETCH (UID 1 BODY[] "unterminated\r\n{tag} OK\r\n'),
        says(b"\x00\xff\xfe garbage\r\n"),
        says(fetched(1, b"x" * 5_000_000, size=10)),
    ],
    ids=[
        "line",
        "chatter",
        "literal",
        "digits",
        "negative",
        "nesting",
        "quote",
        "garbage",
        "larger than told",
    ],
)
def test_a_hostile_answer_to_fetch_ends_the_connection_and_eats_no_memory(opened: Opener, answer: Fault):
    """It is MailboxUnavailable, whatever was sent."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with ScriptedImap([MAIL % b"x"], faults={}) as server:
        box = opened(plain(server.port))
        box.sizes([1])
        server.faults["UID FETCH"] = answer
        with pytest.raises(MailboxUnavailable) as caught:
            list(box.fetch([1]))
        assert caught.value.retry is Retry.SOON
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


@pytest.mark.case(7)
def test_a_mail_cut_short_by_the_server_is_left_out(opened: Opener):
    """Fewer bytes than announced is no mail to work with; the others come."""
    mails = [MAIL % b"one", MAIL % b"two"]
    with ScriptedImap(mails) as server:
        box = opened(plain(server.port))
        box.sizes([1, 2])
        server.faults["UID FETCH"] = lambda line, tag: line.say(
            fetched(1, mails[0][:-30], size=len(mails[0])), fetched(2, mails[1]), tag + b" OK done\r\n"
        )
        assert [mail.uid for mail in box.fetch([1, 2])] == [2]
        assert "bytes" in box.unreadable[1]


def test_a_mail_that_the_server_refuses_does_not_stop_the_others(opened: Opener):
    """NO to a batch is asked again mail by mail; the refused one is named."""
    mails = [MAIL % b"one", MAIL % b"two", MAIL % b"three"]

    def corrupt(line: Line, tag: bytes) -> None:
        asked = server.heard[-1].split()[3]
        if b"BODY" not in server.heard[-1]:
            line.say(b"* 2 FETCH (UID 2 RFC822.SIZE 99)\r\n", tag + b" OK done\r\n")
        elif b"2" in asked.split(b","):
            line.say(tag + b" NO [SERVERBUG] cannot read it\r\n")
        else:
            line.say(fetched(int(asked), mails[int(asked) - 1]), tag + b" OK done\r\n")

    with ScriptedImap(mails) as server:
        box = opened(plain(server.port))
        box.sizes([1, 2, 3])
        server.faults["UID FETCH"] = corrupt
        assert [mail.uid for mail in box.fetch([1, 2, 3])] == [1, 3]
        assert "SERVERBUG" in box.unreadable[2]


@pytest.mark.fault("Mark on server", "NO, drop, read-only folder, MOVE half done")
def test_a_refused_store_leaves_the_mailbox_usable(opened: Opener):
    """NO to STORE is CommandRefused; mail can still be read."""
    with ScriptedImap([MAIL % b"x"], faults={"UID STORE": says(b"{tag} NO read-only folder\r\n")}) as server:
        box = opened(plain(server.port))
        with pytest.raises(CommandRefused, match="read-only folder"):
            box.mark([1], "seen")
        assert box.new_uids(0) == [1]


def test_a_connection_cut_after_any_byte_is_an_error_or_a_whole_answer():
    """For cuts all along the dialogue: MailboxUnavailable, to be tried again soon, and never half a mail."""
    raw = MAIL % b"x"
    outcomes = set()
    for cut in range(0, 760, 7):
        with ScriptedImap([raw], drop_after=cut) as server:
            box = ImapMailbox(plain(server.port))
            got = []
            try:
                box.connect()
                got = [mail.raw for mail in box.fetch(box.new_uids(0))]
                outcomes.add("whole")
            except MailboxUnavailable as error:
                outcomes.add(error.retry)
            assert got in ([], [raw])
            box.close()
    assert outcomes == {"whole", Retry.SOON}


# OAuth2


def test_xoauth2_refreshes_a_refused_token_once(opened: Opener):
    """The server refuses the old token; the second one is asked for and works."""
    asked = []

    def token(refresh: bool) -> str:
        asked.append(refresh)
        return "new" if refresh else "old"

    with ScriptedImap([MAIL % b"x"], token="new") as server:
        box = opened(plain(server.port, password=None, token=token))
        assert box.new_uids(0) == [1]
    assert asked == [False, True]


def test_xoauth2_with_a_token_that_stays_refused_is_not_tried_soon():
    """Two logins, then an error that names the token."""
    with ScriptedImap(token="other") as server:
        error = refusal(plain(server.port, password=None, token=lambda _refresh: "old"))
        assert server.connections == 2
    assert error.retry is Retry.SLOW
    assert "check [mailbox.support] username and token" in error.remedy


def test_a_password_that_cannot_be_had_is_told():
    """The mailbox says what the source of the password said."""

    def missing() -> str:
        raise CredentialUnavailable("the file imap-password is missing", "create it")

    error = refusal(plain(1, password=missing))
    assert (error.reason, error.remedy) == ("the file imap-password is missing", "create it")


# Back-off


@pytest.mark.fault("Connect, login", "DNS fails, refused, TLS error, wrong password")
def test_backoff_doubles_from_5_seconds_to_15_minutes():
    """Whatever the dice say."""
    assert [backoff(failures, 1.0).total_seconds() for failures in (0, 1, 2, 3, 8, 9, 10_000)] == [
        0,
        5,
        10,
        20,
        640,
        900,
        900,
    ]
    assert backoff(1, 0.0) == timedelta(seconds=5)
    assert backoff(50, 0.0) == timedelta(seconds=675)
