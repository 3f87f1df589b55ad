"""What other programs read, CSV and JSON: no formula for a spreadsheet, nothing for a terminal, and the same values back."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from dataclasses import replace

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.cli import cli
from mailtickets.desk.agreement import Organisation
from mailtickets.for_programs import csv_cell, from_csv_cell, json_text
from mailtickets.organisations_csv import read, write
from tests.test_config import changed, written

FORMULAS = (
    "=1+1", "+44 20 7946", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", '"=1"', "'=1", "''=1", "\u00a0=1", "\uff1d1", "\uff0b1",
    "\uff0d1", "\uff201", '=cmd|"/C calc"!A0', "\n=1", "\tx", "=", "-", "--", "-1e5", "- 1",
)  # fmt: skip
PLAIN = (
    "",
    "Bell",
    "-5",
    "-5.25",
    "7",
    "a=b",
    "Smith - Sons",
    "'s-Gravenhage",
    "2027-06-30",
    "a@b.example",
    "\u0130\u015f",
    "*.x.example",
)


def obeyed_by_a_spreadsheet(cell: str) -> bool:
    """Tell whether a spreadsheet may compute a cell: by its first sign behind blanks and quotes, in any width."""
    first = unicodedata.normalize("NFKC", re.sub(r"^[\s\"]+", "", cell))[:1]
    return (first in {"=", "+", "-", "@"} and re.fullmatch(r"-[0-9.]+", cell) is None) or cell[:1] in {
        "\t",
        "\r",
        "\n",
    }


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_compute_gets_an_apostrophe(text: str):
    """In front of all else, and it is taken away again."""
    assert csv_cell(text) == f"'{text}"
    assert from_csv_cell(csv_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_none_stays_as_it_is(text: str):
    """Negative numbers stay numbers; an apostrophe of a name is its own."""
    assert csv_cell(text) == text
    assert from_csv_cell(text) == text


@given(st.text(st.characters(codec="utf-8")) | st.text("=+-@' \t\"1a\uff1d"))
def test_any_text_comes_back_and_none_is_a_formula(text: str):
    """Also those that hold apostrophes already."""
    assert from_csv_cell(csv_cell(text)) == text
    assert not obeyed_by_a_spreadsheet(csv_cell(text))


NAMES = st.text("=+-@' \"1a;,\uff1d\u00e4").map(str.strip).filter(bool)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_organisations_come_back_from_their_file(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    """Whatever they are called; and no cell of the file is a formula."""
    given = [Organisation(f"k{number}", name) for number, name in enumerate(names)]
    out = io.StringIO()
    write(out, given)
    path = tmp_path_factory.mktemp("csv", numbered=True) / "customers.csv"
    path.write_text(out.getvalue(), encoding="utf-8", newline="")
    assert [row.cells["name"] for row in read(path)] == names
    cells = [cell for row in csv.reader(io.StringIO(out.getvalue())) for cell in row]
    assert not any(map(obeyed_by_a_spreadsheet, cells))


def test_organisations_go_out_and_in_by_the_commands(tmp_path, monkeypatch):
    """`export`, then `import` of that file: nothing changed, though every cell that could be one looks like a formula."""
    monkeypatch.chdir(tmp_path)
    text = changed(('store = "desk.db"', 'store = "desk.db"\norganisations = "customers.csv"'))
    written(tmp_path, text)
    names = ["=1+1", "@SUM(A1)", "-2+3", "\uff1dx", "-5", "'=x"]
    one = Organisation("a", "", ("a.example",), ("+x@a.example", "-y@a.example"), "tell")
    with (tmp_path / "customers.csv").open("w", encoding="utf-8") as file:
        write(
            file,
            [
                replace(one, key="a", name="=first"),
                *(Organisation(f"k{n}", name, (f"k{n}.example",)) for n, name in enumerate(names)),
            ],
        )

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["organisations", *words])
        assert done.exit_code == 0, done.output
        return done.stdout

    run("export", "all.csv")
    assert run("import", "all.csv").splitlines() == [
        "0 added, 0 changed, 0 removed, 7 as before",
        "nothing was written",
    ]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text(encoding="utf-8"))))
    assert [row["name"] for row in rows] == [
        "'=first",
        "'=1+1",
        "'@SUM(A1)",
        "'-2+3",
        "'\uff1dx",
        "-5",
        "''=x",
    ]
    assert rows[0]["contacts"] == "'+x@a.example -y@a.example"
    listed = {one["key"]: one for one in json.loads(run("list", "--json"))}
    assert [listed[f"k{n}"]["name"] for n in range(6)] == names
    assert listed["a"]["contacts"] == ["+x@a.example", "-y@a.example"]


@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_json_reads_back_and_holds_nothing_for_a_terminal(value: object):
    """Lone surrogates, too, which could not be printed at all."""
    text = json_text(value)
    assert json.loads(text) == value
    assert not [one for one in text if one != "\n" and unicodedata.category(one) in {"Cc", "Zl", "Zp", "Cs"}]
    assert not re.search("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]", text)


def test_json_keeps_the_letters_of_all_languages():
    """Only what would be obeyed is escaped."""
    assert (
        json_text("Gr\u00fc\u00dfe \u4e16 \U0001f600 \x9b2J\u202e")
        == '"Gr\u00fc\u00dfe \u4e16 \U0001f600 \\u009b2J\\u202e"'
    )
