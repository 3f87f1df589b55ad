"""What the documents say is held to what the program does."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import click
import pytest
from pydantic_core import PydanticUndefined

from mailtickets.config import load
from mailtickets.config_models import NAMED_TABLES, SINGLE_TABLES
from mailtickets.durations import Duration, parse_size
from mailtickets.secrets_source import Secret

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "config.example.toml"

# Keys whose commented-out line is not the default of the model, and why.
NO_DEFAULT = {
    "token": "a token has no default; the line is a sample",
    "mailbox": "follows from the mailboxes there are",
    "maildir": "in place of a server; the line is a sample",
}
MODELS = {**SINGLE_TABLES, **NAMED_TABLES}
KEYS = [
    (table, key) for table, model in MODELS.items() if table != "smtp_account" for key in model.model_fields
]


def example_tables() -> dict[str, dict[str, list[tuple[str, bool, str]]]]:
    """Return table -> key -> (value, whether commented out, explanation) of each line of the example."""
    tables: dict[str, dict[str, list[tuple[str, bool, str]]]] = {}
    table = ""
    explained: list[str] = []
    for line in EXAMPLE.read_text(encoding="utf-8").split("\n"):
        if head := re.match(r"(?:# )?\[([a-z_]+)(?:\.[a-z]+)?\]", line):
            table, explained = head[1], []
        elif line.startswith("## "):
            explained.append(line[3:])
        elif pair := re.match(r"(# )?([a-z_]+) = (.*?)(?:\s{2,}# (.*))?$", line):
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
    if field.default is PydanticUndefined or key in {"admins", "agents", "username", "password", "host"}:
        assert any(not commented for _value, commented, _said in lines), f"{key} belongs to the short path"
        return
    value, commented, said = lines[0]
    assert commented, f"[{table}] {key} has a default, so its line is commented out"
    assert said.strip(), f"[{table}] {key} is not explained"
    if key in NO_DEFAULT:
        return
    written = tomllib.loads(f"x = {value}")["x"]
    default = as_written(field.default)
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


def test_the_example_config_loads_with_every_default_uncommented(tmp_path):
    """Taking the "# " away in front of every default changes nothing."""
    text = EXAMPLE.read_text(encoding="utf-8")
    plain = tmp_path / "plain.toml"
    plain.write_text(text, encoding="utf-8")
    samples = re.compile(r"# (\[|maildir|token|host|username|password)")
    lines = [
        line[2:] if re.match(r"# [a-z_]+ = ", line) and not samples.match(line) else line
        for line in text.split("\n")
    ]
    full = tmp_path / "full.toml"
    full.write_text("\n".join(lines), encoding="utf-8")
    one, other = load(plain), load(full)
    assert (one.desk, one.smtp, one.mailboxes, one.agents, one.limits, one.log, one.templates) == (
        other.desk, other.smtp, other.mailboxes, other.agents, other.limits, other.log, other.templates,
    )  # fmt: skip
    assert one.queues == other.queues


def test_the_samples_of_the_example_config_are_valid(tmp_path):
    """The commented-out tables (a further SMTP account, a Maildir) are accepted as written."""
    text = EXAMPLE.read_text(encoding="utf-8")
    blocks = re.findall(
        r"^# \[(?:smtp_account|mailbox)\..*\n(?:# [a-z_]+ = .*\n|## .*\n)+", text, re.MULTILINE
    )
    assert len(blocks) == 2
    path = tmp_path / "config.toml"
    samples = "".join(
        line[2:] + "\n" for block in blocks for line in block.strip().split("\n") if line[1] == " "
    )
    path.write_text(text.replace('# mailbox = "support"', 'mailbox = "support"') + samples, encoding="utf-8")
    config = load(path)
    assert config.smtp_accounts["billing"].host == "mail.billing.example"
    assert str(config.mailboxes["local"].maildir) == "/var/mail/support"
    assert config.mailboxes["local"].start_from != date.min


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


def test_the_make_targets_of_the_readme_exist():
    """Each `make ...` that README.md names is a target of the Makefile."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", readme)) <= targets
