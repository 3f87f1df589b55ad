"""Who may read and write the desk's files, judged by their modes for the user that runs the daemon."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from mailtickets.diagnosis.finding import Finding, ok, warning, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailtickets.config import Config, Mailbox, SmtpAccount

READ, WRITE, ENTER = 4, 2, 1


class Kind(StrEnum):
    """What a file is to the desk.

    SETTINGS  read by the daemon; others may read it, but not write it.
    SECRET    read by the daemon and by nobody else.
    STORE     read and written by the daemon, and by nobody else.
    MAILDIR   read and written by the daemon, and by whomever its mail server wants.
    """

    SETTINGS = "settings"
    SECRET = "secret"  # noqa: S105 - a kind of file
    STORE = "store"
    MAILDIR = "maildir"


@dataclass(frozen=True, slots=True)
class User:
    """The user that runs the daemon; `groups` are all its groups."""

    uid: int
    name: str
    groups: frozenset[int]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file or folder, as `stat` shows it.

    point  its name in findings: "config", "smtp.password".
    shut   the first folder above it that the daemon's user may not enter; None = it gets there.
    """

    point: str
    path: Path
    kind: Kind
    mode: int
    uid: int
    gid: int
    shut: Path | None = None


def may(user: User, mode: int, uid: int, gid: int, bits: int) -> bool:
    """Tell whether a user may do what `bits` say (READ, WRITE, ENTER) with a file of such mode and owner."""
    if user.uid == 0:
        return True
    shift = 6 if uid == user.uid else 3 if gid in user.groups else 0
    return (mode >> shift) & bits == bits


def judge_file(file: FileFacts, user: User) -> Finding | None:
    """Return what is wrong with one file; None if all is well."""
    path, permissions, is_folder = file.path, stat.S_IMODE(file.mode), stat.S_ISDIR(file.mode)
    written = file.kind in {Kind.STORE, Kind.MAILDIR}
    private = file.kind in {Kind.STORE, Kind.SECRET}
    needed = READ | (WRITE if written else 0) | (ENTER if is_folder else 0)
    owned = f"chown {user.name} {path} && " if private and file.uid != user.uid else ""
    closed = f"{owned}chmod {'go-rwx' if private and not is_folder else 'go-w'} {path}"
    this = f"{path} (mode {permissions:04o})"

    def bad(what: str, remedy: str) -> Finding:
        return wrong("permissions", file.point, f"{this} {what}", remedy)

    if file.shut is not None:
        return bad(f"is out of reach for {user.name}: {file.shut} is closed", f"chmod o+x {file.shut}")
    if not may(user, file.mode, file.uid, file.gid, needed):
        rights = "rwX" if written else "rX"
        return bad(
            f"cannot be {'written' if written else 'read'} by {user.name}, who runs the daemon",
            f"chown {user.name} {path} && chmod u+{rights} {path}",
        )
    if file.kind is Kind.MAILDIR:
        return None
    if permissions & stat.S_IWOTH or (permissions & stat.S_IWGRP and private):
        return bad("can be changed by others on this machine", closed)
    if permissions & stat.S_IWGRP:
        return warning("permissions", file.point, f"{this} can be changed by its group", closed)
    # A folder that others may list shows names only: all files of the desk in it are closed.
    if not private or is_folder:
        return None
    if permissions & stat.S_IROTH:
        return bad("can be read by everybody on this machine", closed)
    if permissions & stat.S_IRGRP:
        return warning("permissions", file.point, f"{this} can be read by its group", closed)
    return None


def judge_files(files: Sequence[FileFacts], user: User) -> Iterator[Finding]:
    """Judge all files; what is in order is said in one line."""
    found = [finding for file in files if (finding := judge_file(file, user))]
    yield from found
    if not found:
        yield ok("permissions", "files", f"{len(files)} files and folders are right for {user.name}")


def judge_caller(uid: int, user: User, config: Path) -> Iterator[Finding]:
    """Judge who runs doctor: root sees files and servers that the daemon's user may not."""
    if uid == 0 and user.uid != 0:
        yield warning(
            "permissions",
            "root",
            f"doctor runs as root, the daemon as {user.name}; what root may do the daemon may not",
            f"runuser -u {user.name} -- mailtickets --config {config} doctor",
        )


# Gathering


def permission_findings(config: Config, pid: int) -> Iterator[Finding]:
    """Look at all files of a desk. `pid` is the daemon's, 0 where none runs."""
    user = user_of_daemon(config.desk.store, pid)
    yield from judge_caller(os.geteuid(), user, config.path)
    yield from judge_files(list(files_of(config, user)), user)


def user_of_daemon(store: Path, pid: int) -> User:
    """Return who runs the daemon: the running one's user, else the owner of the store, else who asks."""
    for path in (Path(f"/proc/{pid}") if pid else store, store):
        try:
            return _user(path.stat().st_uid)
        except OSError:
            continue
    return _user(os.geteuid())


def _user(uid: int) -> User:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        return User(uid, str(uid), frozenset())
    return User(uid, entry.pw_name, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def files_of(config: Config, user: User) -> Iterator[FileFacts]:
    """Yield the files of a desk that are there; what is missing is said by other checks."""
    store = config.desk.store
    wanted = [
        ("config", config.path, Kind.SETTINGS),
        ("store", store, Kind.STORE),
        ("folder", store.parent, Kind.STORE),
        *(
            (end.lstrip("-."), store.with_name(store.name + end), Kind.STORE)
            for end in ("-wal", "-shm", ".lock")
        ),
    ]
    if config.desk.organisations:
        wanted.append(("organisations", config.desk.organisations, Kind.SETTINGS))
    if config.templates.folder:
        folder = config.templates.folder
        wanted += [("templates", path, Kind.SETTINGS) for path in (folder, *sorted(folder.rglob("*")))]
    tables: dict[str, SmtpAccount | Mailbox] = {"smtp": config.smtp}
    tables |= {f"smtp_account.{name}": account for name, account in config.smtp_accounts.items()}
    tables |= {f"mailbox.{name}": mailbox for name, mailbox in config.mailboxes.items()}
    for section, table in tables.items():
        if table.ca_file:
            wanted.append((f"{section}.ca_file", table.ca_file, Kind.SETTINGS))
        for key, secret in (("password", table.password), ("token", table.token)):
            if secret is not None and secret.file is not None:
                wanted.append((f"{section}.{key}", secret.file, Kind.SECRET))
    for name, mailbox in config.mailboxes.items():
        if mailbox.maildir:
            parts = (mailbox.maildir / part for part in ("new", "cur"))
            wanted += [(f"mailbox.{name}.{part.name}", part, Kind.MAILDIR) for part in parts]
    for point, path, kind in wanted:
        try:
            about = path.stat()
        except OSError:
            continue
        yield FileFacts(point, path, kind, about.st_mode, about.st_uid, about.st_gid, _shut(path, user))


def _shut(path: Path, user: User) -> Path | None:
    for folder in reversed(path.resolve().parents):
        about = folder.stat()
        if not may(user, about.st_mode, about.st_uid, about.st_gid, ENTER):
            return folder
    return None
