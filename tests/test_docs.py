"""What the documents say is held to what the program does."""

from __future__ import annotations

import re
import textwrap
import tomllib
from datetime import date
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.config import load
from mailtickets.config_agreement import PriorityTable, ThenTable
from mailtickets.config_calendar import calendar_of
from mailtickets.config_models import LISTED_TABLES, NAMED_TABLES, SINGLE_TABLES
from mailtickets.durations import Duration, parse_size
from mailtickets.secrets_source import Secret

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.toml"

# Keys whose commented-out line is not the default of the model, and why.
NO_DEFAULT = {
    "token": "a token has no default; the line is a sample",
    "mailbox": "follows from the mailboxes there are",
    "maildir": "in place of a server; the line is a sample",
    "confirm_close": "follows the queue where it is not the queue's own; the line is a sample there",
    "P1": "a priority has no default; the line is a sample",
    "P2": "the same",
    "P3": "the same",
    "P4": "the same",
    "then": "a rule without it does nothing; the line is a sample",
    "when": "a rung without it never fires; the line is a sample",
    "to": "nobody is told by default; the line is a sample",
}
# Tables that a desk may do without are commented out whole; keys without a default hold a sample there.
SAMPLES = {"calendar", "service_level", "organisation", "type", "report", "rule", "escalation"}
MODELS = {**SINGLE_TABLES, **NAMED_TABLES, **LISTED_TABLES}
KEYS = [
    (table, key) for table, model in MODELS.items() if table != "smtp_account" for key in model.model_fields
]


def example_tables() -> dict[str, dict[str, list[tuple[str, bool, str]]]]:
    """Return table -> key -> (value, whether commented out, explanation) of each line of the example."""
    tables: dict[str, dict[str, list[tuple[str, bool, str]]]] = {}
    table = ""
    explained: list[str] = []
    for line in EXAMPLE.read_text(encoding="utf-8").split("\n"):
        if head := re.match(r"(?:# )?\[\[?([a-z_]+)(?:\.[a-z]+)?\]", line):
            table, explained = head[1], []
        elif line.startswith("## "):
            explained.append(line[3:])
        elif pair := re.match(r"(# )?([A-Za-z0-9_]+) = (.*?)(?:\s{2,}# (.*))?$", line):
            said = pair[4] or " ".join(explained)
            tables.setdefault(table, {}).setdefault(pair[2], []).append((pair[3], bool(pair[1]), said))
            explained = []
    return tables


def as_written(value: object) -> object:
    """Return a default of a model as the TOML file would hold it."""
    if isinstance(value, Duration):
        return value.text
    if isinstance(value, tuple):
        return [as_written(item) for item in value]
    return "" if value is None else value


@pytest.mark.parametrize(("table", "key"), KEYS)
def test_every_key_is_in_the_example_config(table, key):
    """Each key of each table stands in config.example.toml, explained, at its default where it has one."""
    lines = example_tables().get(table, {}).get(key)
    assert lines, f"[{table}] {key} is missing in config.example.toml"
    field = MODELS[table].model_fields[key]
    if field.is_required() and table in SAMPLES:
        _value, commented, said = lines[0]
        assert commented
        assert said.strip()
        return
    if field.is_required() or key in {"admins", "agents", "username", "password", "host"}:
        assert any(not commented for _value, commented, _said in lines), f"{key} belongs to the short path"
        return
    value, commented, said = lines[0]
    assert commented, f"[{table}] {key} has a default, so its line is commented out"
    assert said.strip(), f"[{table}] {key} is not explained"
    if key in NO_DEFAULT and not (key == "confirm_close" and table == "queue"):
        return
    written = tomllib.loads(f"x = {value}")["x"]
    default = as_written(field.get_default(call_default_factory=True))
    if isinstance(default, float):
        default = f"{default:.0%}"
    if isinstance(default, int) and isinstance(written, str):
        written = parse_size(written)
    assert written == default


def test_the_example_config_has_no_other_keys():
    """Each line of config.example.toml that looks like a key is one that the program knows."""
    unknown = [
        f"[{table}] {key}"
        for table, keys in example_tables().items()
        for key in keys
        if table not in MODELS or key not in MODELS[table].model_fields
    ]
    assert unknown == []


def test_the_example_config_loads_as_it_is(tmp_path):
    """The short path of config.example.toml, untouched, is a valid configuration without warnings."""
    path = tmp_path / "config.toml"
    path.write_text(EXAMPLE.read_text(encoding="utf-8"), encoding="utf-8")
    config = load(path)
    assert config.warnings == ()
    assert config.queues["support"].mailbox == "support"
    assert config.mailboxes["support"].password == Secret(file=tmp_path / "imap-password")


def with_defaults(text):
    """Return the example with its defaults uncommented; tables that are commented out whole stay so."""
    lines, sample = [], False
    for line in text.split("\n"):
        if re.match(r"(?:# )?\[", line):
            sample = line.startswith("#")
        default = re.match(r"# [a-z_]+ = ", line) and not re.match(r"# (?:maildir|token) ", line)
        lines.append(line[2:] if default and not sample else line)
    return "\n".join(lines)


def test_the_example_config_loads_with_every_default_uncommented(tmp_path):
    """Taking the "# " away in front of every default changes nothing."""
    text = EXAMPLE.read_text(encoding="utf-8")
    plain = tmp_path / "plain.toml"
    plain.write_text(text, encoding="utf-8")
    full = tmp_path / "full.toml"
    full.write_text(with_defaults(text), encoding="utf-8")
    one, other = load(plain), load(full)
    assert (one.desk, one.smtp, one.mailboxes, one.agents, one.limits, one.log, one.templates) == (
        other.desk, other.smtp, other.mailboxes, other.agents, other.limits, other.log, other.templates,
    )  # fmt: skip
    assert one.queues == other.queues


@pytest.mark.parametrize(
    ("table", "key", "inner"), [("service_level", "P1", PriorityTable), ("rule", "then", ThenTable)]
)
def test_every_key_of_an_inner_table_is_explained(table, key, inner):
    """What may stand in `P1 = {...}` and in `then = {...}` is named in the lines above."""
    _value, _commented, said = example_tables()[table][key][0]
    assert [name for name in inner.model_fields if not re.search(rf"\b{name}\b", said)] == []


def with_samples(text):
    """Return the example with every table uncommented that is commented out whole."""
    lines, sample = [], False
    for line in text.split("\n"):
        if re.match(r"(?:# )?\[", line):
            sample = line.startswith("#")
        lines.append(line[2:] if sample and line.startswith("# ") else line)
    return "\n".join(lines)


def test_the_samples_of_the_example_config_are_valid(tmp_path):
    """The commented-out tables (a further SMTP account, a Maildir, a whole office desk) are accepted as written."""
    text = with_samples(EXAMPLE.read_text(encoding="utf-8"))
    path = tmp_path / "config.toml"
    path.write_text(text.replace('# mailbox = "support"', 'mailbox = "support"'), encoding="utf-8")
    config = load(path)
    assert config.smtp_accounts["billing"].host == "mail.billing.example"
    assert str(config.mailboxes["local"].maildir) == "/var/mail/support"
    assert config.mailboxes["local"].start_from != date.min
    assert (
        calendar_of("office", config.calendars["office"])
        .in_words()
        .startswith("Monday to Friday 09:00 to 12:30")
    )


def shown_commands() -> list[str]:
    """Return the names of all commands."""
    from mailtickets.cli import cli

    return sorted(cli.list_commands(click.Context(cli)))


def test_every_command_is_in_the_readme():
    """README.md names each command of the program, and no command that does not exist."""
    commands = shown_commands()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z]+)[^`]*` \|", readme, re.MULTILINE)
    assert sorted(table) == commands


def test_every_check_of_doctor_is_in_its_page():
    """docs/doctor.md has a line for each point that a finding may name."""
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    named = set()
    for path in (ROOT / "mailtickets" / "diagnosis").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        named |= set(
            re.findall(r'\b(?:ok|warning|wrong)\(\s*(?:area|"[a-z]+"|self\.check\.area),\s*"([a-z_]+)"', text)
        )
    assert len(named) > 20
    assert [point for point in sorted(named) if not re.search(rf"`(?:[a-z]+\.)?{point}`", page)] == []


def test_every_document_that_the_readme_points_to_exists():
    """No link of README.md and docs/ leads nowhere inside the project."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    dead = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert dead == []


def test_the_standards_page_names_functions_that_exist():
    """Each function that docs/standards.md points to is in the file that it names."""
    page = (ROOT / "docs" / "standards.md").read_text(encoding="utf-8")
    missing = []
    for file, name in re.findall(r"`([a-z_/]+\.py)`,? `([A-Za-z_.]+)`", page):
        path = ROOT / "mailtickets" / file
        leaf = name.rsplit(".", 1)[-1]
        source = path.read_text(encoding="utf-8") if path.exists() else ""
        if not re.search(rf"(?:def|class) {leaf}\b|^\s*{leaf}\b.*=", source, re.MULTILINE):
            missing.append(f"{file} {name}")
    assert missing == []


def test_the_sample_of_the_service_levels_goes_with_the_readmes_configuration(tmp_path):
    """Pasted below it, with the two lines in the table that is there: nothing is wrong and nothing doubted."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "service_levels.md").read_text(encoding="utf-8")
    (short,) = re.findall(r"^ *```toml\n(.*?)^ *```", readme, re.MULTILINE | re.DOTALL)
    tables, lines = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[:2]
    text = textwrap.dedent(short).replace("[queue.support]\n", f"[queue.support]\n{lines}")
    path = tmp_path / "config.toml"
    path.write_text(f"{text}\n{tables}", encoding="utf-8")
    path.chmod(0o600)
    config = load(path)
    assert config.warnings == ()
    assert (config.queues["support"].service_level, config.queues["support"].calendar) == (
        "standard",
        "office",
    )
    said = CliRunner().invoke(cli, ["--config", str(path), "check"]).output
    assert [line for line in said.splitlines() if "password" not in line and "config.toml:" in line] == []


def test_the_make_targets_of_the_readme_exist():
    """Each `make ...` that README.md names is a target of the Makefile."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", readme)) <= targets
