"""`mailtickets report`: the figures of a period as text, page, CSV or JSON. Only reads, also while the daemon runs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailtickets.cli.words import EXIT_FAILED, harmless, loaded, private_files, reading_store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mailtickets.config import Config
    from mailtickets.desk.policy import Policy
    from mailtickets.figures.statistics import Figures
    from mailtickets.store import Store

EXIT_USAGE = 2
FORMATS = ("text", "html", "csv", "json")
LISTED = 10
DIMENSIONS = ("priority", "type", "queue", "organisation", "agent")


class _Refused(Exception):  # noqa: N818  (named for the situation)
    """A filter names something that there is not."""


@click.command()
@click.option("--from", "first", default="", metavar="DATE", help="First day, as 2026-11-24.")
@click.option("--to", "last", default="", metavar="DATE", help="Last day; today without it.")
@click.option(
    "--last",
    "recent",
    default="",
    metavar="PERIOD",
    help="7d or 30d up to today; or the last whole week, month, quarter or year.",
)
@click.option("--queue", default="", help="Only this queue.")
@click.option("--organisation", default="", metavar="KEY", help="Only this organisation's.")
@click.option("--type", "kind", default="", metavar="TYPE", help="Only this type, such as incident.")
@click.option("--priority", default="", help="Only this priority: P1 to P4, or its name.")
@click.option("--agent", default="", metavar="KEY", help="Only this agent's.")
@click.option(
    "--by", type=click.Choice(DIMENSIONS), help="All figures by this; without it the main ones by each."
)
@click.option(
    "--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="For whom."
)
@click.option("--output", metavar="FILE", type=click.Path(), help="Write to this file.")
def report(
    *,
    first: str,
    last: str,
    recent: str,
    queue: str,
    organisation: str,
    kind: str,
    priority: str,
    agent: str,
    by: str | None,
    style: str,
    output: str | None,
) -> None:
    """Report volume, response times, targets kept and backlog; of the last 30 days without another word.

    \b
    mailtickets report
    mailtickets report --last month --by organisation
    mailtickets report --from 2026-01-01 --to 2026-03-31 --queue billing --format html --output q1.html
    """  # noqa: D301
    from mailtickets.figures.gather import EVERY_DIMENSION, gather
    from mailtickets.figures.period import BadPeriod, period_of
    from mailtickets.policies import policy_of

    config = loaded()
    now = datetime.now(UTC)
    policy = policy_of(config)
    filters = {
        "queue": queue,
        "organisation": organisation,
        "type": kind,
        "priority": priority,
        "agent": agent,
    }
    try:
        period = period_of(config.desk.zone, now, first=first, last=last, recent=recent)
        store = reading_store(config)
        chosen = {name: _known(name, word, policy, store) for name, word in filters.items() if word}
    except (BadPeriod, _Refused) as error:
        click.echo(harmless(str(error)), err=True)
        sys.exit(EXIT_USAGE)
    figures = gather(store.measures, period, policy, now, filters=chosen, by=(by,) if by else EVERY_DIMENSION)
    text = _worded(figures, style, by or "", config)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        # As it is, also the line ends of CSV.
        with private_files():
            Path(output).write_bytes(text.encode())
    except OSError as error:
        click.echo(f"{output}: cannot be written ({error.strerror}); name another file in --output", err=True)
        sys.exit(EXIT_FAILED)


def _worded(figures: Figures, style: str, by: str, config: Config) -> str:
    if style == "text":
        from mailtickets.figures.text import text_report

        return text_report(figures, by)
    if style == "html":
        from mailtickets.figures.apart import pictures_apart
        from mailtickets.figures.page import page
        from mailtickets.templates import Templates

        templates = Templates(config.templates.folder, zone=config.desk.zone, queues=config.queues)
        return page(figures, pictures_apart(figures), templates, by)
    from mailtickets.figures.rows import as_csv, as_json

    return as_csv(figures) if style == "csv" else as_json(figures)


def _known(dimension: str, word: str, policy: Policy, store: Store) -> str:
    """Return the key that was meant; what neither the configuration nor any ticket knows is refused by name."""
    keys: dict[str, Iterable[str]] = {
        "queue": policy.queues,
        "organisation": policy.organisations,
        "type": policy.types,
        "agent": policy.agents,
    }
    if dimension == "priority":
        from mailtickets.desk.agreement import PRIORITIES
        from mailtickets.desk.terms import priority_of_word

        for level in (None, *policy.service_levels.values()):
            if key := priority_of_word(word, level):
                return key
        known: Iterable[str] = PRIORITIES
    else:
        known = sorted({*keys[dimension], *filter(None, store.measures.words(dimension))})
        if word in known:
            return word
    raise _Refused(f"there is no {dimension} {word}{_others(word, list(known))}")


def _others(word: str, known: list[str]) -> str:
    near = get_close_matches(word, known, 1)
    if near:
        return f"; did you mean {near[0]}?"
    if not known:
        return ""
    more = f" and {len(known) - LISTED} more" if len(known) > LISTED else ""
    return f"; there are {', '.join(known[:LISTED])}{more}"
