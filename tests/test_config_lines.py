"""Each key of a TOML text stands on a line, whatever shape it has."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from mailtickets.config_lines import dotted, line_index, line_of

# One line each between the bars; the comments of the test name them by number.
SHAPES = (
    """a.b = 1  # ] [|"q.x" = '''|[no] = header|'''|[t.u]|list = [ "]",  # not the end ]|"""
    """  { k = 2, m = [3,|  4] },|]|[[r]]|x = \"""a \\\""" b|y = 1|\"""|[[r]]|x = 2026-01-31T10:00:00Z"""
)


def test_lines_are_found_in_every_shape_of_toml():
    """Dotted keys, quoted keys, lists over lines, texts over lines, inline tables, lists of tables."""
    text = SHAPES.replace("|", "\n")
    lines = line_index(text)
    wanted = {
        ("a", "b"): 1,
        ("q.x",): 2,
        ("t", "u"): 5,
        ("t", "u", "list"): 6,
        ("t", "u", "list", 0): 6,
        ("t", "u", "list", 1, "k"): 7,
        ("t", "u", "list", 1, "m", 1): 8,
        ("r", 0): 10,
        ("r", 0, "x"): 11,
        ("r", 1): 14,
        ("r", 1, "x"): 15,
    }
    assert {place: lines.get(place) for place in wanted} == wanted
    assert ("r", 0, "y") not in lines


def test_what_is_not_in_the_file_has_the_line_of_what_is_around_it():
    """A missing key is shown at its table, a missing table at the first line."""
    lines = line_index("\n[queue.support]\ntag = 'SUP'\n")
    assert line_of(lines, ("queue", "support", "address")) == 2
    assert line_of(lines, ("smtp",)) == 1


def test_places_are_named_as_an_admin_reads_them():
    """Items of lists are counted from 1; names that TOML would quote are quoted."""
    assert dotted(("queue", "support", "reminders", 1)) == "queue.support.reminders[2]"
    assert dotted(("agent", "Lee Moss")) == 'agent."Lee Moss"'


@given(st.text(alphabet="a1.=[]{}\"'#,\\ \n", max_size=60))
def test_every_valid_text_is_walked_to_its_end(text):
    """Whatever tomllib accepts, the scanner finds a line for each of its top-level names, and ends."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert {(name,) for name in tables} <= line_index(text).keys()
