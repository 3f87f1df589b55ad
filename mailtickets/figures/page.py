"""Makes a report the values of the template `report`: for a mail with inline pictures, or a page that is one file."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mailtickets.desk.notices import Notice
from mailtickets.figures.apart import Drawn, Picture, pictures_apart
from mailtickets.figures.period import day_in_words
from mailtickets.figures.tables import brief_dimensions, detailed, shown
from mailtickets.figures.text import text_report
from mailtickets.figures.wording import (
    AGES,
    about_opened,
    about_reopened,
    change_of_backlog,
    goal_percent,
    is_missed,
    length,
    notes,
    number,
    percent,
    scope,
    short_number,
)

if TYPE_CHECKING:
    from mailtickets.desk.agreement import ReportPlan
    from mailtickets.figures.statistics import Figures, Group, Share, Times
    from mailtickets.templates import Templates

TITLES = {"week": "Weekly report", "month": "Monthly report"}
MOST_GROUPS = 10  # of each dimension, in a mail


@dataclass(frozen=True, slots=True)
class ReportMail:
    """A report ready to be queued as the notice `report`.

    values     of the template; `desk`, `zone` and the other values that every notice has are among them.
    pictures   to go along as inline parts, each under its `content_id`.
    """

    values: dict[str, Any]
    pictures: tuple[Picture, ...]


def report_mail(figures: Figures, plan: ReportPlan, drawn: Drawn | None = None) -> ReportMail:
    """Return a planned report as a mail; its pictures are drawn in a process of their own where none are given."""
    drawn = pictures_apart(figures) if drawn is None else drawn
    return ReportMail(report_values(figures, drawn, plan=plan), drawn.pictures)


def page(figures: Figures, drawn: Drawn, templates: Templates, detail: str = "") -> str:
    """Return the report as one HTML file with its pictures inside."""
    letter = templates.letter(Notice("report", "en", "", report_values(figures, drawn, detail=detail)))
    html = letter.html
    for picture in drawn.pictures:
        inside = base64.b64encode(picture.png).decode("ascii")
        html = html.replace(f"cid:{picture.content_id}", f"data:image/png;base64,{inside}")
    return html + "\n"


def report_values(
    figures: Figures, drawn: Drawn, *, plan: ReportPlan | None = None, detail: str = ""
) -> dict[str, Any]:
    """Return what the template `report` may use.

    detail   the one dimension whose tables are shown in full; "" shows every dimension in brief.
    """
    total = figures.total
    here = figures.at.astimezone(figures.period.zone)
    said = [*notes(figures), *([drawn.note] if drawn.note and not total.is_empty else [])]
    return {
        "desk": figures.desk,
        "zone": figures.period.zone.key,
        "reference": "",
        "subject": "",
        "status": "",
        "key_line": "",
        "title": TITLES.get(plan.every, "Report") if plan else "Report",
        "period": figures.period.in_words,
        "scope": scope(figures),
        "as_of": f"{day_in_words(here.date())}, {here:%H:%M}" if figures.at < figures.period.end else "",
        "plan": plan.name if plan else "",
        "notes": said,
        "facts": [
            {"name": "Opened", "value": number(total.opened), "about": about_opened(figures)},
            {"name": "Resolved", "value": number(total.resolved), "about": ""},
            {"name": "Backlog", "value": number(total.backlog), "about": change_of_backlog(figures)},
            {"name": "Closed", "value": number(total.closed), "about": ""},
            {"name": "Reopened", "value": number(total.reopened), "about": about_reopened(total)},
        ],
        "targets": _targets(total),
        "times": _times(total),
        "ages": _ages(total),
        "groups": [] if detail else [_groups(figures, dimension) for dimension in brief_dimensions(figures)],
        "tables": [
            {"title": one.title, "headings": one.headings, "rows": one.rows, "note": one.note}
            for one in (detailed(figures, detail) if detail else ())
        ],
        "pictures": [
            {"name": one.name, "content_id": one.content_id, "title": one.title, "alt": one.alt}
            for one in drawn.pictures
        ],
        "text": text_report(figures, detail),
    }


def _targets(total: Group) -> list[dict[str, Any]]:
    named = (
        ("First response", total.first_response_target),
        ("Resolution", total.resolution_target),
        ("Updates", total.updates),
    )
    return [
        {
            "name": name,
            "share": percent(share.share),
            "goal": goal_percent(total.goal),
            "kept": number(share.kept),
            "missed": number(share.missed),
            "below": is_missed(share, total.goal),
        }
        for name, share in named
        if share.judged
    ]


def _times(total: Group) -> list[dict[str, str]]:
    named = ("First response", total.first_response), ("Resolution", total.resolution)
    return [
        {"name": name, "median": length(one.median), "p90": length(one.p90), "count": number(one.count)}
        for name, one in named
        if one.count
    ]


def _ages(total: Group) -> list[dict[str, Any]]:
    most = max(total.backlog_by_age)
    if not most:
        return []
    return [
        {"name": name, "count": number(count), "width": max(100 * count // most, 1 if count else 0)}
        for name, count in zip(AGES, total.backlog_by_age, strict=True)
    ]


def _groups(figures: Figures, dimension: str) -> dict[str, Any]:
    groups, note = shown(figures.groups(dimension), MOST_GROUPS)
    return {"name": dimension, "note": note, "rows": [_group(group) for group in groups]}


def _group(group: Group) -> dict[str, Any]:
    return {
        "name": group.name,
        "opened": short_number(group.opened),
        "backlog": short_number(group.backlog),
        "first": _within(group.first_response, group.first_response_target, group.goal),
        "resolution": _within(group.resolution, group.resolution_target, group.goal),
    }


def _within(times: Times, share: Share, goal: float) -> dict[str, Any]:
    return {
        "share": percent(share.share),
        "below": is_missed(share, goal),
        "median": length(times.median) if times.count else "",
    }
