"""Organisations as spreadsheets write them."""

from __future__ import annotations

import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.desk.agreement import Organisation
from mailtickets.organisations_csv import COLUMNS, read, write
from mailtickets.problems import ConfigInvalid

BELL = Organisation(
    "bell", 'Bell, "Sons" & Töchter', ("bell.example", "*.bell.example"), ("ben@bell.example", "cy@agency.example"),
    "tell", "kim", "gold", "always", date(2027, 6, 30), confirm_close=False,
)  # fmt: skip
COLE = Organisation("cole", "Cole; Partners", ("cole.example",))


def csv_file(folder, raw):
    """Write a file and return its path."""
    path = folder / "customers.csv"
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path


def said_about(path):
    """Return what is said about a bad file, with the path as the bare name."""
    with pytest.raises(ConfigInvalid) as refused:
        read(path)
    return str(refused.value).replace(str(path), "customers.csv").split("\n")


def test_what_is_written_is_read_again(tmp_path):
    """Quotes, separators and other scripts in names survive; empty cells are not there."""
    file = io.StringIO()
    write(file, [BELL, COLE])
    first, second = read(csv_file(tmp_path, file.getvalue()))
    assert (first.key, first.line, second.key, second.line) == ("bell", 2, "cole", 3)
    assert first.table() == {
        "name": BELL.name, "domains": list(BELL.domains), "contacts": list(BELL.contacts), "others": "tell",
        "account_manager": "kim", "service_level": "gold", "calendar": "always", "until": "2027-06-30",
        "confirm_close": False,
    }  # fmt: skip
    assert second.table() == {"name": "Cole; Partners", "domains": ["cole.example"], "others": "accept"}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_spreadsheet_is_understood(mark, separator, end, tmp_path):
    """Byte order mark or none, comma or semicolon, three kinds of line ends, empty lines and cells at the end."""
    rows = [
        ["Name", "KEY", "domains", "", ""],
        ["", "", "", "", ""],
        ["Bell", " bell ", "a.example\u00a0b.example", "", ""],
    ]
    text = end.join(separator.join(row) for row in rows)
    row, *others = read(csv_file(tmp_path, mark + text.encode()))
    assert (row.key, row.line, others) == ("bell", 3, [])
    assert row.table() == {"name": "Bell", "domains": ["a.example", "b.example"]}


def test_lists_and_columns_are_read_as_people_write_them(tmp_path):
    """Commas and semicolons between addresses, blanks and capitals in the names of columns."""
    rows = 'Key,Name,Contacts,Domains,Account manager,Service Level\na,A,"x@a.example, y@a.example;z@a.example",a.example;b.example,kim,gold\n'
    (row,) = read(csv_file(tmp_path, rows))
    assert row.table() == {
        "name": "A", "contacts": ["x@a.example", "y@a.example", "z@a.example"],
        "domains": ["a.example", "b.example"], "account_manager": "kim", "service_level": "gold",
    }  # fmt: skip


def test_lines_are_counted_where_a_cell_goes_over_several(tmp_path):
    """A message names the line where the organisation starts."""
    path = csv_file(tmp_path, 'key,name,contacts\na,A,"ana@a.example\nben@a.example"\nb,B,\na,C,\n')
    assert said_about(path) == [
        'customers.csv:5: the key "a" is already on line 2; give each organisation its own'
    ]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", f"customers.csv:1: holds no line with the names of the columns; write {','.join(COLUMNS)}"),
        (
            "key,nam\na,A\n",
            f'customers.csv:1: "nam" is no known column; did you mean "name"?|customers.csv:1: the column "name" is missing; the columns are {", ".join(COLUMNS)}',
        ),
        ("key,name,name\n", 'customers.csv:1: the column "name" is there twice; take one of them out'),
        (
            "key,name\na,A, Ltd\n",
            'customers.csv:2: has 3 cells, and there are 2 columns; put a text with "," in it into double quotes',
        ),
        (
            "key,name\n,A\n",
            'customers.csv:2: has no key; write a short name for the organisation, such as "acme"',
        ),
        (
            'key,name\na,"A\nb,B\n',
            "customers.csv:3: not valid CSV (unexpected end of data); close every double quote",
        ),
        (b"key,name\na,\xc4\n", 'customers.csv:2: not UTF-8 text; save it as "CSV UTF-8"'),
    ],
)
def test_what_is_no_such_file_is_refused_with_its_line(raw, said, tmp_path):
    """Each kind of damage in one sentence with the remedy."""
    assert said_about(csv_file(tmp_path, raw)) == said.split("|")


def test_a_missing_file_is_refused(tmp_path):
    """The remedy is to write it or to leave the key out."""
    assert said_about(tmp_path / "customers.csv") == [
        "customers.csv: cannot be read (No such file or directory); write it, or take organisations out of [desk]"
    ]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tmp_path_factory, raw):
    """Any file is a list of organisations or is refused in words."""
    path = csv_file(tmp_path_factory.getbasetemp(), raw)
    try:
        rows = read(path)
    except ConfigInvalid as refused:
        assert refused.problems  # noqa: PT017 - either outcome is right
    else:
        assert all(row.key for row in rows)
