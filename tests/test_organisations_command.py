"""`mailtickets organisations`: out to a spreadsheet and back, whole or not at all."""

from __future__ import annotations

import json
import stat

import pytest
from click.testing import CliRunner

from mailtickets.cli import cli
from mailtickets.config import load
from mailtickets.organisations_import import offer
from tests.test_config import changed, written

CONFIG = (
    changed(('store = "desk.db"', 'store = "desk.db"\norganisations = "customers.csv"'))
    + """
[service_level.gold]
P1 = { first_response = "30m" }

[organisation.acme]
name = "Acme, Ltd"
domains = ["acme.customer.example"]
contacts = ["Ana@acme.customer.example"]
others = "tell"
"""
)
BEFORE = "key,name,domains,service_level\nbeta,Beta Inc,beta.example,gold\nold,Old Ltd,old.example,\n"
AFTER = (
    "key;name;domains;until\nbeta;Beta Inc;beta.example *.beta.example;2027-01-31\nnew;New Ltd;new.example;\n"
)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Stand in the folder of a desk with two organisations in its file and one in its configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "customers.csv").write_text(BEFORE)
    (tmp_path / "customers.csv").chmod(0o640)
    return written(tmp_path, CONFIG).parent


def run(*arguments):
    """Run a command line; return exit code and everything that was said."""
    result = CliRunner().invoke(cli, ["organisations", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def refused(desk, text):
    """Return every problem of a file that is not to be taken, after looking that nothing was changed."""
    (desk / "in.csv").write_text(text)
    files = sorted(path.name for path in desk.iterdir())
    result = CliRunner().invoke(cli, ["organisations", "import", "in.csv"])
    assert (desk / "customers.csv").read_text() == BEFORE
    assert sorted(path.name for path in desk.iterdir()) == files
    return str(result.exception).splitlines()


def test_list_shows_both_sources(desk):
    """Those of the configuration and those of the file."""
    code, said = run("list")
    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == ["key", "acme", "beta", "old"]
    shown = json.loads(run("list", "--json")[1])
    assert shown[0]["contacts"] == ["ana@acme.customer.example"]
    assert shown[1]["service_level"] == "gold"


def test_what_was_exported_is_imported_without_a_change(desk):
    """Those of the configuration stay there."""
    assert run("export", "all.csv") == (0, "all.csv: 3 organisations\n")
    code, said = run("import", "all.csv")
    assert code == 0
    assert said.splitlines() == [
        "0 added, 0 changed, 0 removed, 2 as before",
        "left in config.toml, which says the same: acme",
        "nothing was written",
    ]
    assert (desk / "customers.csv").read_text() == BEFORE


def test_export_to_standard_output(desk):
    """For a pipe, with nothing else in it."""
    assert run("export", "-")[1].splitlines()[1].startswith('acme,"Acme, Ltd",acme.customer.example,')


def test_an_import_says_what_it_added_changed_and_removed(desk):
    """Then the file is the new one, and the old one lies beside it."""
    (desk / "in.csv").write_text(AFTER, encoding="utf-8-sig")
    code, said = run("import", "in.csv")
    assert code == 0
    assert said.splitlines()[:5] == [
        'warning: config.toml:30: service_level.gold: nothing uses it; add service_level = "gold" to a queue or organisation',
        "+ new",
        "~ beta: domains, service_level, until",
        "- old",
        "1 added, 1 changed, 1 removed, 0 as before",
    ]
    config = load(desk / "config.toml")
    assert sorted(config.organisations) == ["acme", "beta", "new"]
    assert str(config.organisations["beta"].until) == "2027-01-31"
    assert (desk / "customers.csv.bak").read_text() == BEFORE
    assert [
        stat.S_IMODE((desk / name).stat().st_mode) for name in ("customers.csv", "customers.csv.bak")
    ] == [0o640] * 2
    assert sorted(path.name for path in desk.iterdir()) == [
        "config.toml",
        "customers.csv",
        "customers.csv.bak",
        "in.csv",
    ]


def test_a_dry_run_writes_nothing(desk):
    """It checks and says what would be."""
    (desk / "in.csv").write_text(AFTER)
    said = json.loads(run("import", "--dry-run", "--json", "in.csv")[1])
    assert (said["added"], said["removed"], said["written"], said["backup"]) == (
        ["new"],
        ["old"],
        False,
        None,
    )
    assert (desk / "customers.csv").read_text() == BEFORE


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            "key,name,domains,service_level,calendar\nx,X,x.example,goold,\ny,Y,x.example,,office\n",
            [(2, "[service_level.goold]"), (3, "[calendar.office]"), (3, "is already a domain of")],
        ),
        ("key,name\nacme,Another\n", [(2, "[organisation.acme] in the configuration")]),
        ("key,name\nx,X\nx,Y\n", [(3, "line 2")]),
        ("key,name,until\nx,X,soon\n", [(2, "not a date")]),
        ("key,domain\nx,x.example\n", [(1, 'did you mean "domains"?'), (1, '"name" is missing')]),
    ],
)  # fmt: skip
def test_a_file_with_problems_is_refused_with_their_lines(desk, text, problems):
    """All of them at once, and nothing is changed."""
    said = refused(desk, text)
    assert len(said) == len(problems)
    for line, (number, reason) in zip(said, problems, strict=True):
        assert line.startswith(f"in.csv:{number}:")
        assert reason in line


def test_an_organisation_that_a_rule_names_cannot_be_taken_away(desk):
    """The file is checked with the whole configuration."""
    config = desk / "config.toml"
    config.write_text(CONFIG + '\n[[rule]]\norganisation = ["old"]\nthen = { priority = "P1" }\n')
    said = refused(desk, AFTER)
    assert len(said) == 1
    assert '"old"' in said[0]


def test_an_import_mends_a_broken_file(desk):
    """The file that is there may be missing or wrong; the new one is what counts."""
    (desk / "in.csv").write_text(AFTER)
    (desk / "customers.csv").write_text("no columns here\n")
    assert run("import", "in.csv")[0] == 0
    (desk / "customers.csv").unlink()
    assert run("import", "in.csv")[0] == 0
    assert stat.S_IMODE((desk / "customers.csv").stat().st_mode) == 0o600  # as the configuration
    assert sorted(load(desk / "config.toml").organisations) == ["acme", "beta", "new"]


def test_without_a_file_to_write_it_says_what_to_add(desk):
    """An import needs to know where to."""
    (desk / "config.toml").write_text(CONFIG.replace('organisations = "customers.csv"\n', ""))
    result = CliRunner().invoke(cli, ["organisations", "import", "customers.csv"])
    assert str(result.exception).endswith('add organisations = "organisations.csv" to [desk]')


def test_the_desks_own_file_is_not_imported_into_itself_nor_exported_over(desk):
    """It would take in what config.toml says."""
    result = CliRunner().invoke(cli, ["organisations", "import", "customers.csv"])
    assert "is the desk's own file already" in str(result.exception)
    assert run("export", "customers.csv")[0] == 1
    assert (desk / "customers.csv").read_text() == BEFORE


def test_a_failed_write_leaves_the_old_file(desk, monkeypatch):
    """A full disk is no reason to lose the customers."""
    (desk / "in.csv").write_text(AFTER)
    offered = offer(desk / "config.toml", desk / "in.csv")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailtickets.organisations_import.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        offered.put_in_place()
    assert (desk / "customers.csv").read_text() == BEFORE
    assert sorted(path.name for path in desk.iterdir()) == [
        "config.toml",
        "customers.csv",
        "customers.csv.bak",
        "in.csv",
    ]


def test_a_link_is_followed(desk):
    """Where the file is a link, what it points to is replaced."""
    (desk / "customers.csv").rename(desk / "real.csv")
    (desk / "customers.csv").symlink_to("real.csv")
    (desk / "in.csv").write_text(AFTER)
    assert run("import", "in.csv")[0] == 0
    assert (desk / "customers.csv").is_symlink()
    assert "new.example" in (desk / "real.csv").read_text()
