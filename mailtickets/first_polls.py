"""Which folders were not read yet since the start, or since the machine awoke: until all are, timers wait.

An answer that lies in a mailbox stops a reminder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Folder = tuple[str, str]  # the mailbox's name in the configuration, and the folder


class FirstPolls:
    """Waits for one poll of each folder. All methods in the asyncio loop.

    held_since   since when timers are held, in seconds awake: a poll that began earlier does not count.
    """

    def __init__(self, folders: Iterable[Folder]) -> None:
        self._folders = frozenset(folders)
        self._unread = set(self._folders)
        self.held_since = 0.0

    @property
    def done(self) -> bool:
        """Whether every folder was read."""
        return not self._unread

    def hold(self, since: float) -> None:
        """Wait for all of them again: the machine has slept."""
        self._unread, self.held_since = set(self._folders), since

    def ended(self, folder: Folder, began: float) -> bool:
        """Note a poll that ended well; return whether any was waited for.

        began   in seconds awake; before the machine slept it may have seen an old state of the mailbox.
        """
        if began < self.held_since or self.done:
            return False
        self._unread.discard(folder)
        return True

    def use(self, folders: Iterable[Folder]) -> bool:
        """After a reload: wait for no folder that is there no more, and for new ones where timers wait anyway.

        Return whether the waiting is over by that.
        """
        read, waited = self._folders - self._unread, not self.done
        self._folders = frozenset(folders)
        self._unread = set(self._folders - read) if waited else set()
        return waited and self.done
