"""The systemd units: hardened, explained, and what their comments say they are."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import click
import pytest

from mailtickets.cli.copies import backup

UNIT = Path(__file__).parent.parent / "systemd" / "mailtickets.service"
BACKUP, TIMER = (UNIT.with_name(f"mailtickets-backup.{kind}") for kind in ("service", "timer"))
SERVICES = pytest.mark.parametrize("unit", [UNIT, BACKUP], ids=lambda unit: unit.name)
MAX_EXPOSURE = 1.5

needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze") and not os.environ.get("CI"),
    reason="systemd-analyze is not installed; `make test` does it",
)


def settings(unit=UNIT):
    """Return the lines of a unit that set something, as (name, value), in order."""
    lines = unit.read_text(encoding="utf-8").split("\n")
    return [
        (name, value)
        for name, found, value in (line.partition("=") for line in lines)
        if found and name.isalnum()
    ]


@needs_systemd
@SERVICES
def test_the_unit_is_rated_as_well_protected(unit):
    """`systemd-analyze security` rates the exposure at 1.5 or lower, of 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level for mailtickets(?:-backup)?\.service: ([0-9.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= MAX_EXPOSURE


@needs_systemd
def test_systemd_understands_every_line(tmp_path):
    """`systemd-analyze verify` has nothing to say about the units, their program put aside."""
    units = [tmp_path / unit.name for unit in (UNIT, BACKUP, TIMER)]
    for unit in units:
        text = UNIT.with_name(unit.name).read_text(encoding="utf-8")
        unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text), encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.split("\n") if "mailtickets" in line]
    assert said == []


@pytest.mark.parametrize("unit", [UNIT, BACKUP, TIMER], ids=lambda unit: unit.name)
def test_every_setting_is_explained(unit):
    """A comment stands above each group of settings; only the unit's plain facts go without."""
    plain = {"Description", "Documentation", "WantedBy"}
    explained = False
    missing = []
    for line in unit.read_text(encoding="utf-8").split("\n"):
        if line.startswith("# "):
            explained = True
        elif not line or line.startswith("["):
            explained = False
        elif not explained and line.partition("=")[0].lstrip("#") not in plain:
            missing.append(line)
    assert missing == []


def test_the_unit_runs_the_daemon_the_way_the_daemon_expects():
    """Notify with a watchdog, reload by SIGHUP, enough time to stop, no restart on a bad configuration."""
    unit = dict(settings())
    assert unit["Type"] == "notify"
    assert unit["ExecStart"].split()[1:] == ["--config", "/etc/mailtickets/config.toml", "run"]
    assert "-HUP" in unit["ExecReload"]
    assert int(unit["WatchdogSec"]) >= 60
    assert int(unit["TimeoutStopSec"]) > 20
    assert unit["RestartPreventExitStatus"] == "78"


def test_the_unit_lets_the_parsing_child_set_its_limits():
    """The system call filter gives back what `resource.setrlimit` needs."""
    filters = [value for name, value in settings() if name == "SystemCallFilter"]
    assert {"setrlimit", "prlimit64"} <= set(filters[-1].split())


def test_the_backup_is_made_by_a_command_that_there_is():
    """The service runs `backup` with a --keep into the one folder that it may write; the timer runs it daily."""
    unit = dict(settings(BACKUP))
    words = unit["ExecStart"].split()
    assert words[1:4] == ["--config", "/etc/mailtickets/config.toml", "backup"]
    assert click.Context(backup).command.make_parser(click.Context(backup)).parse_args(words[4:])[0] == {
        "keep": "14",
        "target": unit["ReadWritePaths"],
    }
    assert dict(settings(TIMER))["OnCalendar"] == "*-*-* 02:30:00"


def test_a_systemd_that_does_not_listen_holds_nobody_up(tmp_path, monkeypatch):
    """Its socket is full: what is said is lost after a second, and the desk goes on."""
    from mailtickets.systemd import sd_notify

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        started = time.monotonic()
        said = 0
        while sd_notify("WATCHDOG=1"):
            said += 1
            assert said < 100_000
        assert said > 0
        assert time.monotonic() - started < 30
