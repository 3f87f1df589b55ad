"""One IMAP mailbox: reads mail without touching it, marks it when told, waits for more.

Keeps no cursor and judges no mail. One thread owns a mailbox and all its calls block; only `wake`
may come from another. Whatever goes wrong is a `MailboxUnavailable` in words a person understands.
"""

from __future__ import annotations

import imaplib
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mailtickets.errors import CommandRefused
from mailtickets.transport.imap_account import FetchedMail, batches, chunks, utc
from mailtickets.transport.imap_connection import ImapConnection
from mailtickets.transport.imap_wire import Bell
from mailtickets.transport.network import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from mailtickets.transport.imap_account import ImapAccount
    from mailtickets.transport.imap_wire import ImapWire

HEAD_BYTES = 256 << 10  # of the header, where only the beginning of a mail is read
UIDS_PER_COMMAND = 500  # 5.5 KB; RFC 7162 section 4 asks servers for lines of 8192 octets only
UIDS_PER_SEARCH = 100_000  # keeps the answer within one line of MAX_LINE_BYTES

# What a mail may be above the announced size before the server is called hostile. Generous: some servers only
# estimate RFC822.SIZE, and a mail refused here stops the whole mailbox.
_SLACK_BYTES = 1 << 20

_SEEN, _DELETED = rb"\Seen", rb"\Deleted"  # RFC 3501 section 2.3.2


class ImapMailbox:
    """One folder of one account; call `connect` first, and again after any MailboxUnavailable.

    connection   for what is asked of the account besides.
    unreadable   mails that the last `fetch` had to leave out though they exist: UID to reason.
    moved        may be set before `connect`: called at most once a second while the server's bytes come, also within one command.
    """

    def __init__(self, account: ImapAccount) -> None:
        self.account = account
        self.connection = ImapConnection(account)
        self.unreadable: dict[int, str] = {}
        self.moved: Callable[[], None] = lambda: None
        self._sizes: dict[int, int] = {}
        self._waits = 0
        self._bell = Bell()

    # Coming and going

    @property
    def uidvalidity(self) -> int:
        """The folder's, from `connect` on; when it changes every known UID is void."""
        return self.connection.uidvalidity

    def connect(self) -> None:
        """Connect, log in and open the folder; drops an older connection first.

        Raises MailboxUnavailable with `retry` SLOW where the server refused the credentials.
        """
        self.connection.open(self.moved)

    def reopen(self) -> None:
        """Open the folder again on the same connection, and learn its UIDVALIDITY anew.

        Where a folder was removed and made anew, Dovecot 2.3 goes on showing the old one to a connection that
        has it open, for ever: no error, and no new mail. Raises MailboxUnavailable, also where it is gone.
        """
        self.connection.select()

    def close(self) -> None:
        """Log out as well as it goes; never raises. `connect` opens it again."""
        self.connection.close()

    def wake(self) -> None:
        """End `wait` now, or the next one; safe from any thread."""
        self._bell.ring()

    def take_alerts(self) -> tuple[str, ...]:
        """Return what the server wanted people to read (RFC 3501 section 7.1: ALERT), once."""
        return self.connection.take_alerts()

    # Reading

    def new_uids(self, after: int) -> list[int]:
        """Return the UIDs above `after`, ascending."""
        first, found = after + 1, set[int]()
        # What is told from now on may be missing in the answer, so it must end the next wait.
        self.connection.wire.news = False
        while True:
            last = first + UIDS_PER_SEARCH - 1
            final = last >= self.connection.uidnext
            with self.connection.asking("looking for new mail") as client:
                # "n:*" also returns the last mail where that is below n (RFC 3501 section 6.4.8).
                found.update(client.search(["UID", f"{first}:*" if final else f"{first}:{last}"]))
            if final:
                return sorted(uid for uid in found if uid > after)
            first = last + 1

    def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Return RFC822.SIZE in bytes for each mail that is still there."""
        self._sizes = {}
        for some in chunks(uids, UIDS_PER_COMMAND):
            with self.connection.asking("asking for sizes") as client:
                answer = client.fetch(some, ["RFC822.SIZE"])
            for uid, item in answer.items():
                if isinstance(size := item.get(b"RFC822.SIZE"), int):
                    self._sizes[uid] = size
        return dict(self._sizes)

    def arrivals(self, uids: Sequence[int]) -> dict[int, datetime]:
        """Return INTERNALDATE (aware, UTC) for each mail that is still there, without fetching it."""
        found: dict[int, datetime] = {}
        for some in chunks(uids, UIDS_PER_COMMAND):
            with self.connection.asking("asking when mails arrived") as client:
                answer = client.fetch(some, ["INTERNALDATE"])
            found |= {uid: utc(item.get(b"INTERNALDATE")) for uid, item in answer.items()}
        return found

    def fetch(self, uids: Sequence[int]) -> Iterator[FetchedMail]:
        """Yield the mails, in order, without touching their flags.

        Mails that have gone meanwhile are absent. Mails of which the server hands out too few bytes, or
        which it refuses to hand out, are absent too and stand in `unreadable`.
        """
        self.unreadable = {}
        if not self._sizes.keys() >= set(uids):
            self.sizes(uids)
        sizes = self._sizes
        for batch in batches([uid for uid in uids if uid in sizes], sizes):
            try:
                answer = self._fetched(batch, sizes)
            except CommandRefused:
                answer = self._fetched_one_by_one(batch, sizes)
            for uid in batch:
                mail = self._mail(uid, answer.pop(uid, {}), sizes[uid])
                if mail is not None:
                    yield mail

    def fetch_head(self, uid: int, first_bytes: int = 65_536) -> FetchedMail | None:
        """Return the header and the first bytes of the text of one mail; None if it has gone.

        For mails that are too large: nothing more than this is transferred.
        """
        head, text = f"BODY.PEEK[HEADER]<0.{HEAD_BYTES}>", f"BODY.PEEK[TEXT]<0.{first_bytes}>"
        allowed = (HEAD_BYTES + _SLACK_BYTES, first_bytes + _SLACK_BYTES)
        with self.connection.asking("reading the beginning of a mail", allowed) as client:
            item = client.fetch([uid], [head, text, "RFC822.SIZE", "INTERNALDATE"]).get(uid, {})
        header, beginning = item.get(b"BODY[HEADER]<0>"), item.get(b"BODY[TEXT]<0>")
        if not isinstance(header, bytes):
            return None
        if len(header) >= HEAD_BYTES:
            header = header[:HEAD_BYTES].rpartition(b"\n")[0] + b"\n\r\n"  # the text must not join the header
        raw = header + (beginning if isinstance(beginning, bytes) else b"")
        size = item.get(b"RFC822.SIZE")
        whole = size if isinstance(size, int) else len(raw)
        return FetchedMail(uid, raw, utc(item.get(b"INTERNALDATE")), whole, truncated=True)

    def wait(self, seconds: float) -> bool:
        """Wait for new mail; return whether the server told of any since the last `new_uids`.

        Ends early when mail comes or `wake` is called. Without IDLE it asks once at the end.
        """
        end = time.monotonic() + seconds
        while True:
            with self.connection.asking("asking for news") as client:
                # Mail told of in the answer to an earlier command is not told again in IDLE; and some servers
                # never announce what comes between that command and IDLE.
                client.noop()
            left = end - time.monotonic()
            if client.wire.news or left <= 0:
                return client.wire.news
            with self.connection.asking("waiting for mail") as client:
                stretch = time.monotonic() + min(left, self.account.idle_seconds)
                if self.account.idle and "IDLE" in self.connection.capabilities:
                    self._idle(client.wire, stretch)
                else:
                    self._listen(client.wire, stretch)
            if self._bell.hush() or client.wire.news:
                return client.wire.news

    def has_folder(self, name: str) -> bool:
        """Tell whether the account has a folder of this name."""
        with self.connection.asking(f"looking for the folder {name}") as client:
            return bool(client.folder_exists(name))

    # Changing

    def mark(self, uids: Sequence[int], after: str) -> None:
        """Mark handled mails: "seen", "move:FOLDER" or "keep" (nothing). UIDs that have gone are no error.

        Raises CommandRefused where the server says no; the mailbox stays usable. A target folder that is
        missing is created. Without MOVE mails are copied and expunged by UID; without UIDPLUS, which that
        needs, the original stays and is only marked as seen: a plain EXPUNGE would remove others' mail.
        """
        if after == "keep" or not uids:
            return
        if self.connection.readonly:
            name, folder, user = self.account.name, self.account.folder, self.account.username
            remedy = f"give {user} the right to write to it on the server"
            raise CommandRefused(name, f"the folder {folder} can only be read, not changed", remedy)
        for some in chunks(uids, UIDS_PER_COMMAND):
            if after == "seen":
                with self.connection.asking("marking mail as seen") as client:
                    client.add_flags(some, [_SEEN], silent=True)
            elif after.startswith("move:"):
                self._move(some, after.removeprefix("move:"))
            else:
                raise ValueError(f'after = "{after}" is none of "seen", "move:FOLDER", "keep"')

    def _move(self, uids: Sequence[int], folder: str) -> None:
        try:
            self._move_into(uids, folder)
        except CommandRefused as refused:
            with self.connection.asking("looking for the target folder") as client:
                if "TRYCREATE" not in refused.reason.upper() and client.folder_exists(folder):
                    raise
            with self.connection.asking(f"creating the folder {folder}") as client:
                client.create_folder(folder)
            with suppress(CommandRefused), self.connection.asking("subscribing") as client:
                client.subscribe_folder(folder)  # or mail programs do not show it
            self._move_into(uids, folder)

    def _move_into(self, uids: Sequence[int], folder: str) -> None:
        if "MOVE" in self.connection.capabilities:
            with self.connection.asking(f"moving mail to {folder}") as client:
                client.move(uids, folder)
            return
        with self.connection.asking(f"copying mail to {folder}") as client:
            client.copy(uids, folder)
        with self.connection.asking(f"removing mail copied to {folder}") as client:
            if "UIDPLUS" in self.connection.capabilities:
                client.add_flags(uids, [_DELETED], silent=True)
                client.uid_expunge(uids)
            else:
                client.add_flags(uids, [_SEEN], silent=True)

    def _fetched(self, uids: Sequence[int], sizes: dict[int, int]) -> dict[int, dict[bytes, Any]]:
        allowed = [2 * sizes[uid] + _SLACK_BYTES for uid in uids]
        with self.connection.asking("fetching mail", allowed) as client:
            answer: dict[int, dict[bytes, Any]] = client.fetch(uids, ["INTERNALDATE", "BODY.PEEK[]"])
        return answer

    def _fetched_one_by_one(self, uids: Sequence[int], sizes: dict[int, int]) -> dict[int, dict[bytes, Any]]:
        """Fetch what can be had of a batch that the server refused: one bad mail must not stop the others."""
        answer: dict[int, dict[bytes, Any]] = {}
        for uid in uids:
            try:
                answer.update(self._fetched([uid], sizes))
            except CommandRefused as refused:
                if self._exists(uid):
                    self.unreadable[uid] = refused.reason
        return answer

    def _exists(self, uid: int) -> bool:
        with self.connection.asking("looking for a mail") as client:
            client.noop()  # lets the server tell us of mails expunged by others
            return uid in client.search(["UID", str(uid)])

    def _mail(self, uid: int, item: dict[bytes, Any], size: int) -> FetchedMail | None:
        raw = item.get(b"BODY[]")
        if not isinstance(raw, bytes):
            if item and self._exists(uid):
                self.unreadable[uid] = "the server gave no text for this mail"
            return None
        # A server may count line ends as two bytes and send one, so only what is missing besides counts.
        if size - len(raw) > raw.count(b"\n") + 2:
            self.unreadable[uid] = f"the server announced {size} bytes and gave {len(raw)}"
            return None
        return FetchedMail(uid, raw, utc(item.get(b"INTERNALDATE")), size)

    def _idle(self, wire: ImapWire, until: float) -> None:
        """Be in IDLE (RFC 2177) until mail comes, the bell rings or the time is over."""
        self._waits += 1
        tag = b"WAIT%d" % self._waits
        wire.send(tag + b" IDLE\r\n")
        while not (line := _heard(wire.readline())).startswith(b"+"):
            if line.startswith(tag):
                self.connection.capabilities -= {"IDLE"}  # it does not work here, whatever was promised
                return
        while not wire.news:
            heard = wire.line_or_bell(until, self._bell)
            if heard is None:
                break
            if _heard(heard).startswith(tag):
                return  # the server ended it
        wire.expect()
        wire.send(b"DONE\r\n")
        while not _heard(wire.readline()).startswith(tag):
            pass

    def _listen(self, wire: ImapWire, until: float) -> None:
        """Wait without IDLE; what a server says unasked is heard all the same."""
        while not wire.news and (heard := wire.line_or_bell(until, self._bell)) is not None:
            _heard(heard)


def _heard(line: bytes) -> bytes:
    """Return a line that imaplib does not read; a goodbye in it is raised."""
    if line[:5].upper() == b"* BYE":
        raise imaplib.IMAP4.abort(f"the server said goodbye: {one_line(line[5:].decode('utf-8', 'replace'))}")
    return line
