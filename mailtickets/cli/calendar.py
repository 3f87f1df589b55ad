"""`mailtickets calendar`: the open hours as the desk sees them, day by day, so that a person can check them."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from mailtickets.cli.words import EXIT_FAILED, as_json, loaded, print_json, rfc3339, stamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mailtickets.config import Config
    from mailtickets.desk.calendar import Calendar
    from mailtickets.durations import Duration

DAYS_SHOWN = 14
MAX_DAYS = 3660
EARLIEST, LATEST = date(1970, 1, 1), date(2199, 12, 31)
DAY = timedelta(days=1)
NO_CALENDAR = (
    "there is no calendar, so every hour of every day counts as open;"
    ' a table [calendar.office] with hours = { mon-fri = ["09:00-17:30"] } makes one'
)


def _day(_ctx: click.Context, _param: click.Parameter, text: str | None) -> date | None:
    """Read a date, 2026-12-24."""
    if text is None:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - of the calendar's zone
    except ValueError:
        raise click.BadParameter(f'"{text}" is not a date; write it as 2026-12-24') from None
    if not EARLIEST <= day <= LATEST:
        raise click.BadParameter(f"write a date from {EARLIEST} to {LATEST}")
    return day


def _moment(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """Read a date with a time of day, 2026-12-24 16:00; local to whatever calendar it is asked of."""
    words, _, clock = (text or "").strip().replace("T", " ").partition(" ")
    day = _day(ctx, param, words) if text is not None else None
    if day is None:
        return None
    try:
        return datetime.combine(day, datetime.strptime(clock, "%H:%M").time())  # noqa: DTZ007 - of the calendar's zone
    except ValueError:
        raise click.BadParameter(f'"{text}" has no time of day; write it as "2026-12-24 16:00"') from None


def _duration(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Duration | None:
    """Read a duration, plain or in working time."""
    from mailtickets.durations import Duration

    if text is None:
        return None
    try:
        length = Duration.parse(text)
    except ValueError as refused:
        raise click.BadParameter(f'"{text}" is {refused}') from None
    if length.seconds > MAX_DAYS * DAY.total_seconds():
        raise click.BadParameter(f'"{text}" is too long; write at most "{MAX_DAYS}d"')
    return length


@click.command()
@click.argument("name", required=False)
@click.option("--from", "first", callback=_day, metavar="DATE", help="First day; without it today.")
@click.option(
    "--to", "last", callback=_day, metavar="DATE", help="Last day; without it 13 days after the first."
)
@click.option("--deadline", callback=_moment, metavar="MOMENT", help="Count from here, with --after.")
@click.option("--after", callback=_duration, metavar="DURATION", help="How long: 90m, 4wh, 5wd.")
@as_json
def calendar(
    *,
    name: str | None,
    first: date | None,
    last: date | None,
    deadline: datetime | None,
    after: Duration | None,
    as_json: bool,
) -> None:
    """Show open hours as the desk sees them, in the time zone of each calendar; or count in them.

    NAME is that of a [calendar.NAME]; without it all are shown.

    \b
    mailtickets calendar                                             two weeks from today
    mailtickets calendar office --from 2026-12-21 --to 2027-01-03
    mailtickets calendar office --deadline "2026-12-24 16:00" --after 4wh
    """  # noqa: D301
    if (deadline is None) != (after is None):
        raise click.UsageError(
            '--deadline and --after belong together: --deadline "2026-12-24 16:00" --after 4wh'
        )
    calendars = _chosen(loaded(), name)
    now = datetime.now(UTC)
    if deadline is not None and after is not None:
        _show_deadlines(calendars, deadline, after, as_json=as_json)
    elif as_json:
        print_json([_days_json(one, *_range(one, first, last, now)) for one in calendars])
    elif not calendars:
        click.echo(NO_CALENDAR)
    else:
        shown = [_in_words(one, *_range(one, first, last, now), now) for one in calendars]
        click.echo("\n\n".join("\n".join(lines) for lines in shown))


def _chosen(config: Config, name: str | None) -> list[Calendar]:
    from mailtickets.config_calendar import calendar_of
    from mailtickets.config_problems import did_you_mean
    from mailtickets.desk.calendar import ALWAYS

    tables = config.calendars
    if name is None:
        return [calendar_of(one, table) for one, table in tables.items()]
    if name in tables:
        return [calendar_of(name, tables[name])]
    if name == ALWAYS.name:
        return [ALWAYS]
    click.echo(f"there is no [calendar.{name}]; {did_you_mean(name, tables) or NO_CALENDAR}", err=True)
    sys.exit(EXIT_FAILED)


def _range(calendar: Calendar, first: date | None, last: date | None, now: datetime) -> tuple[date, date]:
    """Return the days to show; today is that of the calendar's zone."""
    today = now.astimezone(ZoneInfo(calendar.zone)).date()
    begin = first or (min(today, last) if last else today)
    end = last or begin + (DAYS_SHOWN - 1) * DAY
    if end < begin:
        raise click.UsageError(f"--to {end} comes before --from {begin}")
    if (end - begin).days >= MAX_DAYS:
        raise click.UsageError(f"that is more than {MAX_DAYS} days; ask for fewer")
    return begin, end


# -- days ---------------------------------------------------------------------------------------


def _in_words(calendar: Calendar, first: date, last: date, now: datetime) -> list[str]:
    """Return a heading, a line for each day, the sum, and whether it is open now."""
    rows = [_row(calendar, first + number * DAY) for number in range((last - first).days + 1)]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1, 2)]
    lines = [f"{calendar.name}: {calendar.in_words()}", ""]
    for day, hours, length, note in rows:
        cells = f"  {day:<{widths[0]}}  {hours:<{widths[1]}}  {length:>{widths[2]}}  {note}"
        lines.append(cells.rstrip())
    openings = list(calendar.openings(first, last))
    total = sum((opening.end - opening.start for opening in openings), timedelta())
    count = sum(1 for row in rows if row[2])
    days = "1 day" if len(rows) == 1 else f"{len(rows)} days, {count} of them open"
    lines += ["", f"  {days}, {_length(total)} in all"]
    if first <= now.astimezone(ZoneInfo(calendar.zone)).date() <= last:
        lines.append(f"  {_state(calendar, now)}")
    return lines


def _row(calendar: Calendar, day: date) -> tuple[str, str, str, str]:
    """Return day, hours or the reason for none, their sum, and what is special about the day."""
    zone = ZoneInfo(calendar.zone)
    openings = list(calendar.openings(day, day))
    total = sum((opening.end - opening.start for opening in openings), timedelta())
    # A date beyond the day: its hours end at 24:00, not at 00:00.
    ends = [
        "24:00" if _local_day(end, zone) > day else f"{end.astimezone(zone):%H:%M}" for _, end in openings
    ]
    hours = [f"{start.astimezone(zone):%H:%M}-{end}" for (start, _), end in zip(openings, ends, strict=True)]
    notes = []
    if openings and day in calendar.dates:
        notes.append("hours of this date alone")
    if change := _clock_change(day, zone):
        ways = f"clock goes {'back' if change > timedelta() else 'forward'}"
        notes.append(f"{ways}, {_length(total)} open" if openings else ways)
    why = calendar.why_closed(day)
    said = "  ".join(hours) or ("closed on this date" if why == "closed" and day in calendar.dates else why)
    return f"{day:%a %d %b %Y}", said, _length(total) if openings else "", ", ".join(notes)


def _local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _clock_change(day: date, zone: ZoneInfo) -> timedelta:
    """Return by how much the day is longer than 24 hours."""
    from mailtickets.desk.shifts import moment_of

    begin, end = (moment_of(one, timedelta(), zone) for one in (day, day + DAY))
    return end - begin - DAY


def _length(length: timedelta) -> str:
    """Return "8 h", "7 h 30 min" or "45 min"."""
    hours, minutes = divmod(round(length.total_seconds() / 60), 60)
    return (
        " ".join(word for word in (f"{hours} h" * bool(hours), f"{minutes} min" * bool(minutes)) if word)
        or "0 h"
    )


def _state(calendar: Calendar, now: datetime) -> str:
    zone = ZoneInfo(calendar.zone)
    if not calendar.is_open(now):
        return f"now: closed, opens {stamp(calendar.next_open(now), zone)}"
    closes = calendar.next_close(now)
    return f"now: open until {stamp(closes, zone)}" if closes else "now: open"


def _seconds(lengths: Iterable[timedelta]) -> int:
    return int(sum(lengths, timedelta()).total_seconds())


def _days_json(calendar: Calendar, first: date, last: date) -> dict[str, Any]:
    zone = ZoneInfo(calendar.zone)
    days = []
    for day in (first + number * DAY for number in range((last - first).days + 1)):
        openings = list(calendar.openings(day, day))
        days.append(
            {
                "date": day.isoformat(),
                "openings": [{"start": rfc3339(start), "end": rfc3339(end)} for start, end in openings],
                "open_seconds": _seconds(end - start for start, end in openings),
                "closed": calendar.why_closed(day) or None,
                "clock_change_seconds": _seconds([_clock_change(day, zone)]),
            }
        )
    return {
        "name": calendar.name,
        "timezone": calendar.zone,
        "words": calendar.in_words(),
        "from": first.isoformat(),
        "to": last.isoformat(),
        "open_seconds": sum(day["open_seconds"] for day in days),
        "days": days,
    }


# -- deadlines ----------------------------------------------------------------------------------


def _due(calendar: Calendar, start: datetime, after: Duration) -> tuple[datetime, datetime]:
    """Return the start and the end of a length of time in UTC; the start is local to the calendar."""
    from mailtickets.desk.shifts import moment_of

    midnight = datetime.combine(start.date(), time.min)
    begin = moment_of(start.date(), start - midnight, ZoneInfo(calendar.zone))
    if after.days:
        return begin, calendar.add_days(begin, after.days)
    return begin, calendar.add(begin, after.timedelta) if after.working else begin + after.timedelta


def _show_deadlines(
    calendars: Sequence[Calendar], start: datetime, after: Duration, *, as_json: bool
) -> None:
    from mailtickets.desk.calendar import ALWAYS

    answers = []
    for calendar in calendars or [ALWAYS]:
        begin, due = _due(calendar, start, after)
        answers.append((calendar, begin, due))
    if as_json:
        print_json(
            [
                {
                    "name": calendar.name,
                    "timezone": calendar.zone,
                    "start": rfc3339(begin),
                    "after": str(after),
                    "deadline": rfc3339(due),
                }
                for calendar, begin, due in answers
            ]
        )
        return
    for calendar, begin, due in answers:
        zone = ZoneInfo(calendar.zone)
        click.echo(f"{calendar.name}: {stamp(begin, zone)} + {after} = {stamp(due, zone)} ({calendar.zone})")
        if after.working and not after.days and not calendar.is_open(begin):
            click.echo(f"  closed at the start; the time runs from {stamp(calendar.next_open(begin), zone)}")
