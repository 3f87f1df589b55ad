"""A changed configuration is taken whole or not at all: reads it anew, and says why it cannot be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailtickets.config import Config, ConfigInvalid, load
from mailtickets.desk.ticket import Alarm
from mailtickets.readying import templates_of

if TYPE_CHECKING:
    from mailtickets.templates import Templates

RELOAD = "reload"  # the alarm that stands while the configuration file is not the one in use


class ReloadRefused(Exception):  # noqa: N818  (named for the situation, not for its kind)
    """The configuration file cannot be taken as it is now."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_anew(used: Config) -> tuple[Config, Templates]:
    """Read the file of the configuration in use, and the wording that it names now. Raises ReloadRefused."""
    try:
        config = load(used.path)
        templates = templates_of(config)
        problems = templates.check()
    except ConfigInvalid as invalid:
        first, more = invalid.problems[0], len(invalid.problems) - 1
        raise ReloadRefused(str(first) + (f" (and {more} more)" if more else "")) from invalid
    except OSError as error:
        raise ReloadRefused(str(error)) from error
    if problems:
        raise ReloadRefused(str(problems[0]))
    if config.desk.store != used.desk.store:
        raise ReloadRefused("desk.store changed; that needs a restart")
    return config, templates


def reload_alarm(why: str) -> Alarm:
    """Tell the admins that the configuration in use is not the one in the file."""
    return Alarm(
        RELOAD, "The reload failed; the old configuration stays", why, "correct the file and reload again"
    )
