"""Who may read and write which file, judged by modes as they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mailtickets.diagnosis.permissions import (
    FileFacts,
    Kind,
    User,
    judge_caller,
    judge_file,
    judge_files,
    user_of_daemon,
)

DESK = User(900, "mailtickets", frozenset({900, 8}))
PATH = Path("/etc/mailtickets/x")


def file(kind, mode, uid=900, gid=900, shut=None, *, folder=False):
    whole = mode | (stat.S_IFDIR if folder else stat.S_IFREG)
    return FileFacts("x", PATH, kind, whole, uid, gid, shut)


@pytest.mark.parametrize(
    ("facts", "state", "remedy"),
    [
        (file(Kind.SECRET, 0o600), "", ""),
        (file(Kind.SECRET, 0o640), "warning", f"chmod go-rwx {PATH}"),
        (file(Kind.SECRET, 0o644), "wrong", f"chmod go-rwx {PATH}"),
        (file(Kind.SECRET, 0o644, uid=0, gid=0), "wrong", f"chown mailtickets {PATH} && chmod go-rwx {PATH}"),
        (file(Kind.SECRET, 0o600, uid=0, gid=0), "wrong", f"chown mailtickets {PATH} && chmod u+rX {PATH}"),
        (file(Kind.SETTINGS, 0o644, uid=0, gid=0), "", ""),
        (file(Kind.SETTINGS, 0o664, uid=0, gid=0), "warning", f"chmod go-w {PATH}"),
        (file(Kind.SETTINGS, 0o646, uid=0, gid=0), "wrong", f"chmod go-w {PATH}"),
        (file(Kind.SETTINGS, 0o640, uid=0, gid=8), "", ""),  # by its group
        (file(Kind.SETTINGS, 0o600, uid=0, gid=0), "wrong", f"chown mailtickets {PATH} && chmod u+rX {PATH}"),
        (file(Kind.STORE, 0o600), "", ""),
        (file(Kind.STORE, 0o400), "wrong", f"chown mailtickets {PATH} && chmod u+rwX {PATH}"),
        (file(Kind.STORE, 0o660), "wrong", f"chmod go-rwx {PATH}"),
        (file(Kind.STORE, 0o755, folder=True), "", ""),  # names only
        (file(Kind.STORE, 0o775, folder=True), "wrong", f"chmod go-w {PATH}"),
        (file(Kind.STORE, 0o600, folder=True), "wrong", f"chown mailtickets {PATH} && chmod u+rwX {PATH}"),
        (file(Kind.MAILDIR, 0o770, uid=5, gid=8, folder=True), "", ""),  # as its mail server wants
        (file(Kind.MAILDIR, 0o750, uid=5, gid=8, folder=True), "wrong", f"chown mailtickets {PATH} && chmod u+rwX {PATH}"),
        (file(Kind.SECRET, 0o600, shut=Path("/root")), "wrong", "chmod o+x /root"),
    ],
)  # fmt: skip
def test_each_file_is_open_to_the_daemon_and_closed_to_others(facts, state, remedy):
    """And the remedy is what to type."""
    finding = judge_file(facts, DESK)
    assert (finding.state.value, finding.remedy) == (state, remedy) if state else finding is None


def test_files_in_order_are_one_line():
    """Their number and the user; nothing else."""
    (finding,) = judge_files([file(Kind.SECRET, 0o600), file(Kind.STORE, 0o600)], DESK)
    assert finding.what == "2 files and folders are right for mailtickets"


def test_root_is_warned_where_the_daemon_is_somebody_else():
    """What root can read the daemon may not; the command as the right user stands there."""
    (finding,) = judge_caller(0, DESK, Path("/etc/mailtickets/config.toml"))
    assert (
        finding.remedy == "runuser -u mailtickets -- mailtickets --config /etc/mailtickets/config.toml doctor"
    )
    assert list(judge_caller(900, DESK, PATH)) == []
    assert list(judge_caller(0, User(0, "root", frozenset()), PATH)) == []


def test_the_daemons_user_is_found(tmp_path):
    """By its process, else by the store's owner, else it is who asks."""
    store = tmp_path / "desk.db"
    assert user_of_daemon(store, 0).uid == os.geteuid()
    store.touch()
    if os.geteuid() == 0:
        os.chown(store, 65534, 65534)
        assert user_of_daemon(store, 0).uid == 65534
    assert user_of_daemon(store, os.getpid()).uid == os.geteuid()
