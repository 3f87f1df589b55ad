"""The table is whole: every case has a test, and every test names a case."""

from __future__ import annotations

import pytest

from tests.hostile.cases import CASES, Figures, table


def test_every_case_is_proved_by_a_test_and_every_test_names_a_case(request: pytest.FixtureRequest):
    """Over all tests that were collected; where only some files were, the cases of the others may be missing."""
    named = {n for item in request.session.items for mark in item.iter_markers("case") for n in mark.args}
    assert named <= set(CASES)
    files = {item.path.name for item in request.session.items if item.path.parent.name == "hostile"}
    if {"test_a_mime.py", "test_k_bombs.py", "test_m_no_page.py"} <= files:
        assert sorted(set(CASES) - named) == []


def test_the_table_tells_what_failed_and_what_was_not_run():
    """A case holds where all its tests passed."""
    lines = table([Figures(1, True, 0.5), Figures(1, True, 0.25), Figures(2, False)])
    by_number = {line.split()[0]: line for line in lines[:-1] if line.split()[0].isdigit()}
    assert by_number["1"].split()[-3:] == ["2", "0.75", "holds"]
    assert by_number["2"].endswith("FAILS")
    assert by_number["4"].endswith("not run")
    assert lines[-1] == f"1 of 2 cases that were run hold; {len(CASES)} in all"
