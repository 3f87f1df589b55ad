"""Timers wait until every folder was read, and no longer."""

from __future__ import annotations

from mailtickets.first_polls import FirstPolls

INBOX, OTHER, NEW = ("support", ""), ("sales", ""), ("billing", "")


def test_they_are_done_when_each_folder_was_read():
    """The last one ends the waiting; further ones count for nothing."""
    polls = FirstPolls([INBOX, OTHER])
    assert polls.ended(INBOX, 1.0)
    assert not polls.done
    assert polls.ended(INBOX, 2.0)
    assert not polls.done
    assert polls.ended(OTHER, 3.0)
    assert polls.done
    assert not polls.ended(OTHER, 4.0)


def test_without_a_folder_nothing_is_waited_for():
    """A desk that gets its mail by `receive` alone."""
    assert FirstPolls([]).done


def test_a_poll_from_before_the_sleep_does_not_count():
    """It may have seen an old state of the mailbox."""
    polls = FirstPolls([INBOX])
    polls.ended(INBOX, 1.0)
    polls.hold(10.0)
    assert not polls.done
    assert not polls.ended(INBOX, 9.0)
    assert not polls.done
    assert polls.ended(INBOX, 10.0)
    assert polls.done


def test_a_reload_drops_the_folder_that_was_waited_for():
    """What is there no more holds nothing up."""
    polls = FirstPolls([INBOX, OTHER])
    polls.ended(INBOX, 1.0)
    assert polls.use([INBOX])
    assert polls.done


def test_a_reload_waits_for_a_new_folder_only_where_timers_wait_anyway():
    """Timers that go are not stopped again; after a sleep the new folder counts like any other."""
    polls = FirstPolls([INBOX, OTHER])
    polls.ended(INBOX, 1.0)
    assert not polls.use([INBOX, OTHER, NEW])
    polls.ended(OTHER, 2.0)
    assert not polls.done
    polls.ended(NEW, 3.0)
    assert polls.done
    assert not polls.use([INBOX, NEW, OTHER, ("more", "")])
    assert polls.done
    polls.hold(10.0)
    for folder in (INBOX, NEW, OTHER):
        polls.ended(folder, 11.0)
    assert not polls.done
