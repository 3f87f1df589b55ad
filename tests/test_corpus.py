"""Floors under the figures of `tests.corpus`: real mails must not come out worse than they do today."""

from __future__ import annotations

import pytest

from tests.corpus.figures import ARGUED, ARGUED_TEXTS, BOUNCES_ELSEWHERE, FOLDER, NO_BOUNCES, entries, measure

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
        ("parse: subject", 1.0),
        ("parse: from", 1.0),
        ("parse: to", 0.999),
        ("parse: message_id", 1.0),
        ("parse: attachments", 0.995),
        ("parse: text_sha256", 0.975),
        ("bounces: found", 0.995),
        ("bounces: no false alarm", 0.999),
        ("bounces: failing addresses", 0.94),
        ("bounces: SMTP code of the first address", 0.92),
        ("auto-replies: not a person", 1.0),
        ("people: a person", 0.99),
        ("visible text: exact", 0.97),
        ("visible text: exact, with expectations that we do not follow", 0.92),
        ("visible text: holds and leaves out what it must", 1.0),
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
    assert {file for _, file in ARGUED} | set(BOUNCES_ELSEWHERE) | set(NO_BOUNCES) | set(
        ARGUED_TEXTS
    ) <= known
