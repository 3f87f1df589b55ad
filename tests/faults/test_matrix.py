"""The matrix is whole: every row has a test, and every test names a row."""

from __future__ import annotations

import pytest

from tests.faults.matrix import ROWS, Figures, for_each, table


def test_every_row_is_proved_by_a_test_and_every_test_names_a_row(request: pytest.FixtureRequest):
    """Over all tests that were collected; where only some files were, the rows of the others may be missing."""
    marks = [tuple(mark.args) for item in request.session.items for mark in item.iter_markers("fault")]
    assert set(marks) <= set(ROWS)
    whole = {"tests/faults/test_kills.py", "tests/stories/test_outages.py", "tests/transport/test_imap.py"}
    if whole <= {item.nodeid.partition("::")[0] for item in request.session.items}:
        assert [row for row in ROWS if row not in marks] == []


def test_the_table_tells_what_failed_and_what_was_not_run():
    """A row holds where all its tests passed; its counts are added up."""
    row, other = ROWS[0], ROWS[1]
    lines = table([Figures(row, True, 3, uncertain=2), Figures(row, True, 4), Figures(other, False, 1, 1, 0)])
    assert lines[1].split()[-6:] == ["2", "7", "0", "0", "2", "holds"]
    assert lines[2].split()[-6:] == ["1", "1", "1", "0", "0", "FAILS"]
    assert lines[3].endswith("not run")


def test_the_table_tells_what_no_double_costs():
    """Below it stands how many reminders went out again, and how many people had the first one."""
    lines = table([Figures(ROWS[0], True, again=3, arrived=1), Figures(ROWS[1], True, again=2)])
    assert lines[-1].startswith("5 reminders went out again after an unknown fate; 1 of them ")


def test_a_test_counts_for_each_row_that_it_names():
    """A row that it names and never ran, one that it runs and does not name, and a word that no column has are refused."""
    rows = {ROWS[0], ROWS[1]}
    once = {"runs": 1}
    assert for_each(rows, None, once) == dict.fromkeys(rows, once)
    assert for_each(rows, dict.fromkeys(rows, once), {}) == dict.fromkeys(rows, once)
    for of in ({ROWS[0]: once}, dict.fromkeys(ROWS[:3], once), {ROWS[0]: once, ROWS[1]: {"lost": 0}}):
        with pytest.raises(AssertionError):
            for_each(rows, of, {})
    with pytest.raises(TypeError):
        for_each(rows, None, {"runs": 1, "losses": 0})
