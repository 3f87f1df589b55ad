"""The matrix is whole: every row has a test, and every test names a row."""

from __future__ import annotations

import pytest

from tests.faults.matrix import ROWS, Figures, table


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
    lines = table([Figures(row, True, 3), Figures(row, True, 4), Figures(other, False, 1, 1, 0)])
    assert lines[1].split()[-5:] == ["2", "7", "0", "0", "holds"]
    assert lines[2].split()[-5:] == ["1", "1", "1", "0", "FAILS"]
    assert lines[3].endswith("not run")
