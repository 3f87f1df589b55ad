"""Sample values for every kind of notice: what `check` renders, `preview` shows and the tests hold.

The keys are what a template of that kind may use. Pure data.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from mailtickets.mail.compose import KEY_PLACEHOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPENED = datetime(2026, 11, 20, 9, 40, tzinfo=UTC)
_REMINDER = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
_CLOSES = datetime(2026, 11, 27, 10, 0, tzinfo=UTC)

_EVERYWHERE: dict[str, object] = {
    "desk": "Acme Support",
    "zone": "Europe/London",
    "reference": "SUP-1042",
    "subject": "Printer on fire",
    "status": "open",
    "key_line": KEY_PLACEHOLDER,
}

_CUSTOMER_TEXT = """\
Hello,

the printer on the third floor smells of smoke again and prints only half of each page. I have pulled the plug. The invoices for Friday are still in its queue.

Could somebody have a look before noon? A picture of the display is attached.

Ana Lima
Customer Ltd, +44 20 7946 0000"""

_AGENT_TEXT = """\
Hello Ana,

well done pulling the plug. Our technician Lee is with you at 11:30 and brings a spare printer, so your invoices go out today.

Is the room open, or does Lee need a key?

Kim Archer"""

_HTML = "<p>Hello Ana,</p><p>please try <b>another cable</b> first:</p><ul><li>switch it off</li><li>change the cable</li></ul><p>Kim</p>"


def _values(**values: object) -> dict[str, object]:
    return {**_EVERYWHERE, **values}


def _customer_mail(**values: object) -> dict[str, object]:
    """Return the values of a customer's mail as agents get it."""
    usual: dict[str, object] = {
        "author": "Ana Lima",
        "author_address": "ana@customer.example",
        "proven": True,
        "outside": False,
        "text": _CUSTOMER_TEXT,
        "html": "",
        "attachments": [{"name": "display.jpg", "size": 1_240_000}],
        "left_out": [],
        "warnings": [],
        "hints": [],
        "priority": "P3",
        "type": "",
        "organisation": "",
        "only_you": False,
        "deadlines": [],
        "assignee": "",
        "requester": "ana@customer.example",
        "participants": [],
        "others": [],
        "does": "waiting",
        "first_reminder_at": _REMINDER,
        "closes_at": _CLOSES,
        "opened_at": _OPENED,
        "quiet": "",
    }
    return _values(**{**usual, **values})


_ACKNOWLEDGEMENT: dict[str, object] = {
    "echo": True,
    "priority": "",
    "promise_at": None,
    "resolve_at": None,
    "open_from": None,
    "hours": "",
    "criteria": [],
    "state": False,
    "escalate": False,
    "routed": "",
    "contacts": [],
    "ask_for": [],
    "help_links": [],
    "not_taken": [],
    "short": False,
    "others": [],
}

_EVENTS: dict[str, tuple[str, str, str]] = {
    "bounced": ("ana@customer.example", "", "no such mailbox (5.1.1)"),
    "auto_reply": ("Ana Lima", "I am out of office until 1 December.", ""),
    "taken": ("Kim Archer", "", ""),
    "note": ("Lee Moss", "The spare printer is in my car.\nKey is at the reception.", ""),
    "assigned": ("Kim Archer", "", ""),
    "closed": ("Kim Archer", "", ""),
    "status": (
        "desk",
        "",
        "No reminder was sent: our mail to the customer comes back. The ticket is open again.",
    ),
    "outside": ("carl@elsewhere.example", "I can bring the toner.", ""),
    "sent_elsewhere": ("Kim Archer", "Lee is on the way.", ""),
    "typed": (
        "Kim Archer",
        "I want to complain.",
        "Its type is complaint; it came from ana@customer.example",
    ),
    "side_answer": (
        "carl@supplier.example",
        "On Friday.",
        "To write back, begin your answer with #ask carl@supplier.example",
    ),
    "news": ("", "", ""),
}

_DEADLINES = [
    {"target": "first_response", "what": "first answer", "at": _OPENED, "late": True},
    {"target": "resolution", "what": "resolution", "at": _REMINDER, "late": False},
]
_ESCALATION: dict[str, object] = {
    "rungs": [
        {
            "name": "Team lead",
            "why": "80% of the time for the resolution is used",
            "at": _REMINDER,
            "headline": "Resolution due soon",
        }
    ],
    "deadlines": _DEADLINES,
    "asked_by": "",
    "reason": "",
    "priority": "P1",
    "rank": "P1",
    "requester": "ana@customer.example",
    "organisation": "Customer Ltd",
    "assignee": "Kim Archer",
    "queue": "support",
    "opened_at": _OPENED,
    "also": [{"name": "Jo Boss", "address": "jo@acme.example", "phone": "+44 20 7946 0001"}],
    "people": ["Kim Archer", "Lee Moss"],
    "last_author": "ana@customer.example",
    "last_at": _OPENED,
    "last_text": _CUSTOMER_TEXT,
    "agent": True,
}

_LATE = [{"name": "Manager", "why": "the first answer is late", "at": _OPENED}]
_TICKET: dict[str, object] = {
    "reference": "SUP-1042",
    "subject": "Printer on fire",
    "status": "open",
    "priority": "P1",
    "assignee": "Kim Archer",
    "requester": "ana@customer.example",
    "organisation": "Customer Ltd",
    "rungs": [*_LATE, {"name": "Team lead", "why": "80% of the time for the resolution is used", "at": _REMINDER}],
}  # fmt: skip
_OTHER_TICKET: dict[str, object] = {
    "reference": "SUP-1038",
    "subject": "",
    "status": "pending",
    "priority": "Normal",
    "assignee": "",
    "requester": "carl@elsewhere.example",
    "organisation": "",
    "rungs": _LATE,
}
_ESCALATIONS: dict[str, object] = {
    "reference": "",
    "subject": "",
    "status": "",
    "key_line": "",
    "count": 4,
    "more": 0,
    "tickets": [_TICKET, *({**_OTHER_TICKET, "reference": f"SUP-{number}"} for number in (1038, 1039, 1040))],
    "agent": True,
}

_REPORT_TEXT = """\
Acme Support: Mon 16 to Sun 22 Nov 2026 (week 47)

Opened                    42   6.0 a day
Resolved                  40
Closed                    38
Reopened                   1   2.4 % of those opened
Backlog                   12   2 more than at the start"""

_REPORT: dict[str, object] = {
    "reference": "",
    "subject": "",
    "status": "",
    "key_line": "",
    "title": "Weekly report",
    "period": "Mon 16 to Sun 22 Nov 2026 (week 47)",
    "scope": "",
    "as_of": "",
    "plan": "weekly",
    "notes": [],
    "facts": [
        {"name": "Opened", "value": "42", "about": "6.0 a day"},
        {"name": "Resolved", "value": "40", "about": ""},
        {"name": "Backlog", "value": "12", "about": "2 more than at the start"},
    ],
    "targets": [
        {
            "name": "First response",
            "share": "97.5 %",
            "goal": "95 %",
            "kept": "39",
            "missed": "1",
            "below": False,
        },
        {"name": "Resolution", "share": "90.0 %", "goal": "95 %", "kept": "36", "missed": "4", "below": True},
    ],
    "times": [{"name": "First response", "median": "25 min", "p90": "6.5 h", "count": "40"}],
    "ages": [
        {"name": "up to 1 day", "count": "9", "width": 100},
        {"name": "older", "count": "0", "width": 0},
    ],
    "groups": [
        {
            "name": "priority",
            "note": "",
            "rows": [
                {
                    "name": "P1 Urgent",
                    "opened": "2",
                    "backlog": "0",
                    "first": {"share": "100 %", "below": False, "median": "12 min"},
                    "resolution": {"share": "50.0 %", "below": True, "median": "3.3 h"},
                },
                {
                    "name": "P4 Low",
                    "opened": "40",
                    "backlog": "12",
                    "first": {"share": "-", "below": False, "median": ""},
                    "resolution": {"share": "-", "below": False, "median": ""},
                },
            ],
        }
    ],
    "tables": [],
    "pictures": [
        {
            "name": "course",
            "content_id": "course@report.mailtickets",
            "title": "Volume and backlog over time",
            "alt": "42 tickets opened, 40 resolved.",
        }
    ],
    "text": _REPORT_TEXT,
}

_ANSWER: dict[str, object] = {
    "agent": "Kim Archer",
    "closes_at": None,
    "resolved": False,
    "agreed": None,
    "routed": "",
}
_ASK: dict[str, object] = {
    "agent": "Kim Archer",
    "ask_for": ["the number on the device's label", "since when it happens"],
    "agreed": None,
    "routed": "",
}
_STATE: dict[str, object] = {
    "reference": "SUP-1042",
    "subject": "Printer on fire",
    "status": "open",
    "priority": "High",
    "answer_by": _REMINDER,
    "solve_by": _CLOSES,
    "opened_at": _OPENED,
    "last_at": _OPENED,
    "last_ours": False,
    "closes_at": None,
}
_OTHER_STATE: dict[str, object] = {
    "reference": "SUP-1038",
    "subject": "",
    "status": "waiting",
    "priority": "",
    "answer_by": None,
    "solve_by": None,
    "last_ours": True,
    "closes_at": _CLOSES,
}
_STORY: dict[str, object] = {
    "title": "SUP-1042: its clocks",
    "lines": [
        {"at": "Fri 20 Nov 09:40", "what": "Opened with priority P2 (High): first response within 4 working hours, resolution within 16 working hours."},
        {"at": "Fri 20 Nov 11:00", "what": "First response from kim after 1 h 20 min of 4 working hours, in time."},
        {"at": "Mon 23 Nov 17:10", "what": "The resolution is due; 12 h 10 min of working time left."},
    ],
    "text": "",
}  # fmt: skip
_COMING: dict[str, object] = {
    "title": "SUP-1042: what comes by itself",
    "lines": [{"at": "Mon 23 Nov 14:30", "what": "Team lead: 80% of the time for the resolution is used; tells Jo Boss."}],
    "text": "",
}  # fmt: skip
_STATS: dict[str, object] = {
    "title": "The last 30 days of support",
    "lines": [],
    "text": "Opened      42   1.4 a day\nResolved    40\nBacklog     12   2 more than at the start",
}

_NEWS_LINE: dict[str, object] = {
    "reference": "SUP-1042",
    "subject": "Printer on fire",
    "status": "open",
    "priority": "P3 Normal",
    "requester": "ana@customer.example",
    "assignee": "",
    "is_new": True,
    "count": 1,
    "author": "ana@customer.example",
    "excerpt": "Hello, the printer on the third floor smells of smoke again and prints only half of each page.",
    "write_to": "mailto:support@acme.example?subject=%5BSUP-1042%5D%20Printer%20on%20fire",
    "proven": True,
    "marks": "",
}
_NEWS: dict[str, object] = {
    "reference": "",
    "subject": "",
    "status": "",
    "key_line": "",
    "count": 2,
    "left": 0,
    "limit": 20,
    "agent": True,
    "tickets": [
        _NEWS_LINE,
        {
            **_NEWS_LINE,
            "reference": "SUP-1038",
            "subject": "",
            "status": "pending",
            "assignee": "Kim Archer",
            "is_new": False,
            "count": 480,
            "author": "ben@customer.example",
            "proven": False,
            "marks": "look-alike of Ben Ito <ben@customer.example>",
            "write_to": "mailto:support@acme.example?subject=%5BSUP-1038%5D",
        },
    ],
}

SAMPLES: Mapping[str, Mapping[str, Mapping[str, object]]] = {
    "escalation": {
        "plain": _values(**_ESCALATION),
        "asked": _values(
            **{
                **_ESCALATION,
                "asked_by": "ana@customer.example",
                "reason": "the site stands still",
                "agent": False,
                "key_line": "",
            }
        ),
        "wordless": _values(
            **{**_ESCALATION, "deadlines": [], "last_text": "", "assignee": "", "organisation": ""}
        ),
    },
    "escalations": {
        "plain": _values(**_ESCALATIONS),
        "many": _values(
            **{**_ESCALATIONS, "count": 62, "more": 12, "tickets": [_TICKET] * 50, "agent": False}
        ),
        "one_more": _values(**{**_ESCALATIONS, "count": 51, "more": 1}),
    },
    "news": {
        "plain": _values(**_NEWS),
        "many": _values(
            **{**_NEWS, "count": 100, "left": 4900, "tickets": [{**_NEWS_LINE, "count": 2}] * 100}
        ),
        "one": _values(
            **{
                **_NEWS,
                "count": 1,
                "left": 1,
                "agent": False,
                "limit": 0,
                "tickets": [{**_NEWS_LINE, "write_to": "", "excerpt": ""}],
            }
        ),
    },
    "routed": {"plain": {**_customer_mail(), "type": "enhancement", "told": True, "key_line": ""}},
    "acknowledgement": {
        "plain": _values(**_ACKNOWLEDGEMENT),
        "full": _values(
            **{
                **_ACKNOWLEDGEMENT,
                "priority": "High",
                "promise_at": _REMINDER,
                "resolve_at": _CLOSES,
                "open_from": _REMINDER,
                "hours": "Monday to Friday 09:00 to 17:30 (Europe/London), closed on public holidays",
                "criteria": [
                    {"name": "High", "text": "nobody can work"},
                    {"name": "Medium", "text": "one person cannot work"},
                ],
                "escalate": True,
                "contacts": ["carl@customer.example"],
                "ask_for": ["the number on the device's label", "since when it happens"],
                "help_links": ["https://help.acme.example/printers"],
                "not_taken": [{"name": "video.mov", "why": "larger than 25 MB"}],
                "others": ["billing@acme.example"],
            }
        ),
        "unproven": _values(**{**_ACKNOWLEDGEMENT, "echo": False, "subject": ""}),
        "short": _values(**{**_ACKNOWLEDGEMENT, "echo": False, "short": True, "subject": ""}),
        "promised": _values(
            **{
                **_ACKNOWLEDGEMENT,
                "echo": False,
                "short": True,
                "subject": "",
                "priority": "High",
                "promise_at": _REMINDER,
                "escalate": True,
            }
        ),
        "wish": _values(**{**_ACKNOWLEDGEMENT, "routed": "enhancement"}),
        "wish_elsewhere": _values(**{**_ACKNOWLEDGEMENT, "routed": "enhancement_elsewhere"}),
    },
    "answer": {
        "plain": _values(text=_AGENT_TEXT, html="", **_ANSWER),
        "html": _values(text="Hello Ana, ...", html=_HTML, **_ANSWER),
        "agreed": _values(text=_AGENT_TEXT, html="", **{**_ANSWER, "agreed": _CLOSES}),
        "routed": _values(text="Hello Ana, ...", html=_HTML, **{**_ANSWER, "routed": "complaint"}),
    },
    "ask": {
        "plain": _values(text="", html="", **_ASK, status="waiting"),
        "text": _values(
            text=_AGENT_TEXT, html="", **{**_ASK, "agreed": _CLOSES}, status="waiting", key_line=""
        ),
        "html": _values(text="Hello Ana, ...", html=_HTML, **_ASK, status="waiting", key_line=""),
    },
    "due": {
        "plain": _values(text="", html="", agreed=_CLOSES, routed=""),
        "routed": _values(text="", html="", agreed=_CLOSES, routed="enhancement"),
    },
    "rerouted": {
        "plain": _values(text="", html="", agreed=None, routed="enhancement"),
        "own": _values(text="", html="", agreed=None, routed="legal"),
    },
    "side_question": {
        "plain": _values(
            text="Dear Carl,\n\nwhen can you deliver the toner?\n\nKim Archer",
            html="",
            agent="Kim Archer",
            key_line="",
        ),
        "html": _values(text="Dear Carl, ...", html=_HTML, agent="Kim Archer", key_line=""),
    },
    "escalated": {
        "plain": _values(text="", html="", names=["Jo Boss", "Kim Archer"], known_since=None),
        "known": _values(text="", html="", names=["Jo Boss"], known_since=_REMINDER),
        "nameless": _values(text="", html="", names=[], known_since=None),
    },
    "status_answer": {
        "plain": _values(requests=[_STATE]),
        "alone": _values(
            reference="", subject="", status="", key_line="", requests=[_STATE, {**_STATE, **_OTHER_STATE}]
        ),
        "none": _values(reference="", subject="", status="", key_line="", requests=[]),
    },
    "shown": {
        "plain": _values(sections=[_STORY, _COMING]),
        "stats": _values(reference="", subject="", status="", key_line="", sections=[_STATS]),
        "nothing": _values(
            sections=[
                {**_COMING, "lines": [], "text": "Nothing goes out by itself: the ticket waits for a person."}
            ]
        ),
    },
    "resolved": {
        "plain": _values(text=_AGENT_TEXT, html="", agent="Kim Archer", closes_at=_CLOSES, status="resolved"),
        "wordless": _values(text="", html="", agent="Kim Archer", closes_at=None, status="resolved"),
        "html": _values(
            text="Hello Ana, ...", html=_HTML, agent="Kim Archer", closes_at=_CLOSES, status="resolved"
        ),
    },
    "closed": {
        "silence": _values(text="", html="", agent="", silence=True, reopen_until=_CLOSES, status="closed"),
        "agent": _values(
            text="The new printer runs. All the best!\n\nKim",
            html="",
            agent="Kim Archer",
            silence=False,
            reopen_until=_CLOSES,
            status="closed",
        ),
        "html": _values(
            text="Hello Ana, please try another cable first.",
            html=_HTML,
            agent="Kim Archer",
            silence=False,
            reopen_until=None,
            status="closed",
        ),
    },
    "reminder": {
        "first": _values(
            step=1,
            last=False,
            closes_at=_CLOSES,
            asked="Is the room open, or does Lee need a key?",
            status="waiting",
        ),
        "last": _values(
            step=2,
            last=True,
            closes_at=_CLOSES,
            asked="Is the room open, or does Lee need a key?",
            status="waiting",
        ),
        "bare": _values(step=1, last=False, closes_at=None, asked="", status="waiting"),
    },
    "too_large": {"plain": _values(size_mb=48, limit_mb=25)},
    "agent_new": {
        "plain": _customer_mail(),
        "full": _customer_mail(
            proven=False,
            html="<p>Hello,</p><p>the <b>printer</b> smells of smoke.</p><p>Ana</p>",
            attachments=[{"name": "display.jpg", "size": 1_240_000}, {"name": "log.txt", "size": 812}],
            left_out=[{"name": "video.mov", "size": 18_400_000}],
            hints=["may belong to SUP-1038, which the same person opened within the hour"],
            assignee="kim",
            participants=["ben@customer.example"],
            others=["billing@acme.example"],
            does="question",
            quiet="the sender's mail looks like a list's",
        ),
        "nobody": _customer_mail(
            author="an unknown sender",
            author_address="",
            requester="",
            proven=False,
            warnings=[
                "nobody knows who wrote it: more than one From field: ana@customer.example and ben@customer.example"
            ],
            first_reminder_at=None,
            closes_at=None,
            quiet="no single sender: more than one From field",
        ),
        "look-alike": _customer_mail(
            author="Kim Archer",
            author_address="eve@evil.example",
            requester="eve@evil.example",
            proven=False,
            warnings=[
                "the sender has the name of the agent Kim Archer, but not an address of theirs that the desk knows: it is eve@evil.example"
            ],
        ),
    },
    "agent_reply": {
        "plain": _customer_mail(
            text="Great, thank you! The room is open.\n\nAna", attachments=[], assignee="kim", does="pending"
        ),
        "outside": _customer_mail(
            author="carl@elsewhere.example",
            author_address="carl@elsewhere.example",
            outside=True,
            proven=False,
            text="I can bring the toner.",
            attachments=[],
            first_reminder_at=None,
            closes_at=None,
        ),
    },
    "agent_reopened": {
        "plain": _customer_mail(text="It smokes again, sorry.\n\nAna", attachments=[], assignee="kim")
    },
    "agent_event": {
        event: _values(
            event=event,
            actor=actor,
            text=text,
            detail=detail,
            status="closed" if event == "closed" else "open",
        )
        for event, (actor, text, detail) in _EVENTS.items()
    },
    "held": {
        "plain": _values(
            code="K7Q2",
            sender="kim@acme.example",
            elsewhere=False,
            text="The new toner comes tomorrow.",
            why="The mail carries no proof that kim@acme.example sent it (no reply key).",
            key_line="",
        ),
        "elsewhere": _values(
            code="K7Q2",
            sender="kim@home.example",
            elsewhere=True,
            text="The new toner comes tomorrow.",
            why="It holds your reply key for SUP-1042, but kim@home.example is no address of yours in the configuration.",
            key_line="",
        ),
    },
    "forget": {
        "plain": _values(
            subject="",
            code="P8WT",
            agent="Kim Archer",
            address="ana@customer.example",
            tickets=3,
            shared=1,
            open=1,
            mails=7,
            why="",
            key_line="",
        ),
        "again": _values(
            subject="",
            code="P8WT",
            agent="Kim Archer",
            address="ana@customer.example",
            tickets=1,
            shared=0,
            open=0,
            mails=1,
            why="I did not understand 'maybe'. Write yes or no as the first line, and leave the subject as it is.",
            key_line="",
        ),
    },
    "forgotten": {
        outcome: _values(
            subject="",
            outcome=outcome,
            how=how,
            agent="Kim Archer",
            by="it@acme.example",
            tickets=3,
            shared=1,
            mails=7,
            key_line="",
        )
        for outcome, how in (
            ("erased", ""),
            ("kept", ""),
            ("impossible", ""),
            ("expired", ""),
            ("late", "it@acme.example confirmed it, and the person was erased"),
        )
    },
    "leak": {
        "between": _values(
            code="M3XP",
            why="Ana Lima wrote while you were writing",
            text="Please send us the serial number.",
            between=[
                {
                    "author": "Ana Lima",
                    "at": _OPENED + timedelta(hours=2),
                    "text": "Found it: the serial number is 4711.",
                }
            ],
            key_line="",
        ),
        "plain": _values(
            code="M3XP",
            why="it quotes a note",
            text="Lee wrote: the spare printer is ours.",
            between=[],
            key_line="",
        ),
    },
    "not_sent": {
        "command": _values(
            why="#reslove is not a command that I know.",
            text="#reslove\nAll done, Ana.",
            word="#reslove",
            nearest="#resolve",
            in_doubt=False,
            failed=[],
        ),
        "failed": _values(
            why="Your answer could not be delivered.",
            text="All done, Ana.",
            word="",
            nearest="",
            in_doubt=False,
            failed=[{"address": "ana@customer.example", "why": "no such mailbox (550 5.1.1)"}],
        ),
        "in_doubt": _values(
            why="Your answer may have arrived, perhaps several times. We do not send it again by ourselves.",
            text="All done, Ana.",
            word="",
            nearest="",
            in_doubt=True,
            failed=[
                {"address": "ana@customer.example", "why": "no answer after the whole mail was sent, 3 times"}
            ],
        ),
        "no_ticket": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            why="it names no ticket",
            text="",
            word="",
            nearest="",
            in_doubt=False,
            failed=[],
        ),
    },
    "receipt": {
        "done": _values(
            done=["The ticket is yours", "SUP-1042 is picked up; the next move is yours"], problems=[]
        ),
        "problems": _values(done=[], problems=["there is no agent called leee"]),
    },
    "help": {
        "plain": _values(
            commands=[
                {"name": "#note", "does": "the text is a note for agents; the customer gets nothing"},
                {"name": "#wait", "does": "awaits the customer; #wait 5d puts the first reminder off"},
                {"name": "#resolve", "does": "we think it is fixed; it closes by itself after a while"},
            ]
        ),
        "no_ticket": _values(reference="", subject="", status="", key_line="", commands=[]),
    },
    "trouble": {
        "plain": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            what="The mailbox support cannot be read",
            why="mail.acme.example refused the password",
            remedy="Put the new password into smtp-password and run `mailtickets check`",
            since=_OPENED,
            goes_on=True,
            lines=["09:40 login refused", "09:55 login refused"],
        ),
        "bare": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            what="Disk nearly full",
            why="",
            remedy="",
            since=_OPENED,
            goes_on=False,
            lines=[],
        ),
    },
    "recovered": {
        "plain": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            what="The mailbox support cannot be read",
            since=_OPENED,
            until=_REMINDER,
        )
    },
    "restored": {
        "much": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            made_at=_OPENED,
            restored_at=_REMINDER,
            acknowledgements=12,
            notices=31,
            reminders=2,
            answers=4,
            early=False,
            unread=[],
        ),
        "early": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            made_at=_OPENED,
            restored_at=_REMINDER,
            acknowledgements=12,
            notices=31,
            reminders=2,
            answers=0,
            early=True,
            unread=["sales (INBOX)"],
        ),
        "nothing": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            made_at=_OPENED,
            restored_at=_REMINDER,
            acknowledgements=0,
            notices=0,
            reminders=0,
            answers=0,
            early=False,
            unread=[],
        ),
    },
    "kept_back": {
        "answers": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            made_at=_OPENED,
            restored_at=_REMINDER,
            answers=[
                {
                    "number": 17,
                    "to": "ana@customer.example",
                    "subject": "Re: [SUP-1042] Printer on fire",
                    "text": "Please try water.\n\nDid that help?",
                }
            ],
            returned=[
                {
                    "number": 19,
                    "to": "kim@desk.example",
                    "subject": "[SUP-1042] Not sent: Printer",
                    "text": "",
                }
            ],
            more=3,
        ),
        "returned": _values(
            reference="",
            subject="",
            status="",
            key_line="",
            made_at=_OPENED,
            restored_at=_REMINDER,
            answers=[],
            returned=[
                {
                    "number": 19,
                    "to": "kim@desk.example",
                    "subject": "[SUP-1042] Not sent: Printer",
                    "text": "",
                }
            ],
            more=0,
        ),
    },
    "report": {
        "weekly": _values(**_REPORT),
        "detail": _values(
            **{
                **_REPORT,
                "title": "Report",
                "plan": "",
                "scope": "queue support, priority P1 Urgent",
                "as_of": "Sun 22 Nov 2026, 09:40",
                "notes": ["Pictures are left out: matplotlib is not installed."],
                "groups": [],
                "pictures": [],
                "tables": [
                    {
                        "title": "By agent: updates",
                        "headings": ["", "share", "goal", "kept", "missed"],
                        "rows": [["Kim Archer", "80.0 % !", "95 %", "4", "1"]],
                        "note": "3 more with 7 opened",
                    }
                ],
            }
        ),
        "empty": _values(
            **{
                **_REPORT,
                "notes": ["Nothing was opened, resolved or left over in this period."],
                "facts": [{"name": "Opened", "value": "0", "about": ""}],
                "targets": [],
                "times": [],
                "ages": [],
                "groups": [],
                "pictures": [],
            }
        ),
    },
}
