"""Timers wait until every folder was read, and no longer."""

from __future__ import annotations

from mailtickets.first_rounds import FirstRounds

INBOX, OTHER, NEW = ("support", ""), ("sales", ""), ("billing", "")


def test_they_are_done_when_each_folder_was_read():
    """The last one ends the waiting; rounds after it count for nothing."""
    rounds = FirstRounds([INBOX, OTHER])
    assert rounds.ended(INBOX, 1.0)
    assert not rounds.done
    assert rounds.ended(INBOX, 2.0)
    assert not rounds.done
    assert rounds.ended(OTHER, 3.0)
    assert rounds.done
    assert not rounds.ended(OTHER, 4.0)


def test_without_a_folder_nothing_is_waited_for():
    """A desk that gets its mail by `receive` alone."""
    assert FirstRounds([]).done


def test_a_round_from_before_the_sleep_does_not_count():
    """It may have seen an old state of the mailbox."""
    rounds = FirstRounds([INBOX])
    rounds.ended(INBOX, 1.0)
    rounds.hold(10.0)
    assert not rounds.done
    assert not rounds.ended(INBOX, 9.0)
    assert not rounds.done
    assert rounds.ended(INBOX, 10.0)
    assert rounds.done


def test_a_reload_drops_the_folder_that_was_waited_for():
    """What is there no more holds nothing up."""
    rounds = FirstRounds([INBOX, OTHER])
    rounds.ended(INBOX, 1.0)
    assert rounds.use([INBOX])
    assert rounds.done


def test_a_reload_waits_for_a_new_folder_only_where_timers_wait_anyway():
    """Timers that go are not stopped again; after a sleep the new folder counts like any other."""
    rounds = FirstRounds([INBOX, OTHER])
    rounds.ended(INBOX, 1.0)
    assert not rounds.use([INBOX, OTHER, NEW])
    rounds.ended(OTHER, 2.0)
    assert not rounds.done
    rounds.ended(NEW, 3.0)
    assert rounds.done
    assert not rounds.use([INBOX, NEW, OTHER, ("more", "")])
    assert rounds.done
    rounds.hold(10.0)
    for folder in (INBOX, NEW, OTHER):
        rounds.ended(folder, 11.0)
    assert not rounds.done
