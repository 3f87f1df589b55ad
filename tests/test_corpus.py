"""Floors under the figures of `tests.corpus`: real mails must not come out worse than they do today."""

from __future__ import annotations

import pytest

from tests.corpus.figures import ARGUED, BOUNCES_ELSEWHERE, FOLDER, entries, measure

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (FOLDER / "index.json").exists(), reason="the mail corpus does not lie beside the project"
    ),
]


@pytest.fixture(scope="module")
def mails():
    return entries()


@pytest.fixture(scope="module")
def figures(mails):
    return measure(mails)


@pytest.mark.parametrize(
    ("name", "floor"),
    [
        ("parse: gives a Message", 1.0),
        ("parse: subject", 0.995),
        ("parse: from", 0.995),
        ("parse: to", 0.995),
        ("parse: message_id", 1.0),
        ("parse: attachments", 0.985),
        ("parse: text_sha256", 0.97),
        ("bounces: found", 0.985),
        ("bounces: no false alarm", 0.995),
        ("bounces: failing addresses", 0.9),
        ("bounces: SMTP code of the first address", 0.9),
        ("auto-replies: not a person", 1.0),
        ("people: a person", 0.99),
        ("visible text: exact", 0.85),
    ],
)
def test_real_mails_come_out_as_they_should(figures, name, floor):
    """Each figure stays at or above its floor."""
    figure = figures[name]
    assert figure.total > 0
    assert figure.share >= floor, figure.wrong


def test_each_argued_expectation_is_of_a_mail_that_exists(mails):
    """No exception outlives the mail it was made for."""
    known = {entry.file for entry in mails}
    assert {file for _, file in ARGUED} | set(BOUNCES_ELSEWHERE) <= known
