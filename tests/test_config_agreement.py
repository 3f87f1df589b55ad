"""Service levels, organisations, types, rules, ladders and reports: from the file to the desk's own values."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mailtickets.config import load
from mailtickets.desk.agreement import SHIPPED_TYPES, Contact, Span, Target, Targets
from mailtickets.policies import policy_of
from tests.test_config import changed, said_about, written

OFFICE = '\n[calendar.office]\nhours = { mon-fri = ["09:00-17:00"] }\n'
LEVEL = '\n[service_level.standard]\nP1 = { first_response = "30m" }\n'


def desk(folder, more, queue="", **files):
    """Return the policy of the short path with some keys of the queue and more tables; `files` stand beside it."""
    return policy_of(config(folder, more, queue, **files))


def config(folder, more, queue="", **files):
    """Return the configuration that `desk` makes a policy of."""
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return load(file(folder, more, queue))


def file(folder, more, queue=""):
    """Write the short path with some keys of the queue and more tables."""
    return written(folder, changed(('tag = "SUP"', f'tag = "SUP"\n{queue}')) + more)


def warned(folder, more, queue=""):
    """Return the warnings, without the name of the file."""
    return [str(warning).partition(": ")[2] for warning in config(folder, more, queue).warnings]


def plain(text, **length):
    """Return a plain length of time."""
    return Span(plain=timedelta(**length), text=text)


def test_a_service_level_keeps_its_words_and_targets(tmp_path):
    """Plain time, working time and working days; what is left out, or empty, is no target."""
    level = desk(
        tmp_path,
        OFFICE
        + """
[service_level.standard]
calendar = "office"
default_priority = "P2"
goal = "97.5%"
resolution_ends = "closed"
P1 = { name = "Urgent", criteria = "Nobody can work", first_response = "30m", update = "90wm", resolution = "4wh" }
P3 = { first_response = "", resolution = "5wd" }
""",
        'service_level = "standard"',
    ).service_levels["standard"]
    assert level.targets == {
        "P1": Targets(
            plain("30m", minutes=30), Span(working=timedelta(minutes=90)), Span(working=timedelta(hours=4))
        ),
        "P3": Targets(None, None, Span(days=5)),
    }
    assert str(level.targets["P3"].of(Target.RESOLUTION)) == "5wd"
    assert (level.names, level.criteria) == ({"P1": "Urgent"}, {"P1": "Nobody can work"})
    assert (level.calendar, level.default_priority, level.resolution_ends) == ("office", "P2", "closed")
    assert level.goal == pytest.approx(0.975)


def test_a_queue_and_an_agent_name_what_holds_for_them(tmp_path):
    """Calendar, service level, who is on call, how high a customer may go, hours; reminders in working time."""
    more = OFFICE + LEVEL + '\n[agent.ana]\nname = "Ana"\nemail = "ana@desk.example"\nhours = "office"\n'
    text = changed(
        ('agents = ["kim", "lee"]', 'agents = ["kim", "ana"]\non_call = ["kim"]\ncustomer_priority = "P2"'),
        (
            'tag = "SUP"',
            'tag = "SUP"\ncalendar = "office"\nservice_level = "standard"\nreminders = ["1wd", "24wh"]',
        ),
        ("[agent.lee]", "[agent.lee]\nhours = 'always'"),
    )
    policy = policy_of(load(written(tmp_path, text + more)))
    queue = policy.queues["support"]
    assert (queue.calendar, queue.service_level, queue.on_call, queue.customer_priority) == (
        "office", "standard", ("kim",), "P2",
    )  # fmt: skip
    assert queue.reminders == (Span(days=1), Span(working=timedelta(hours=24)))
    assert [agent.hours for agent in policy.agents.values()] == ["", "always", "office"]
    assert (policy.calendars["office"].always, policy.calendars["always"].always) == (False, True)


def test_shipped_types_keep_what_the_file_does_not_say(tmp_path):
    """A complaint gets a resolution and keeps its first response and its way; a type of the file's own is plain."""
    types = desk(
        tmp_path,
        """
[type.complaint]
route = ["lee", "Boss@acme.example"]
resolution = "10d"

[type.enhancement]
silence = true

[type.question]
first_response = ""

[type.security]
route = "account_manager"
first_response = "1h"
ask_for = ["What did you see?"]
confirm_close = true
""",
    ).types
    assert types["incident"] == SHIPPED_TYPES["incident"]
    complaint = types["complaint"]
    assert (complaint.route, complaint.only_route, complaint.tell) == (
        ("lee", "boss@acme.example"),
        True,
        True,
    )
    assert complaint.targets == Targets(Span(days=5), None, plain("10d", days=10))
    assert (types["enhancement"].silence, types["enhancement"].clock) == (True, False)
    assert types["question"].targets is None
    security = types["security"]
    assert (security.route, security.targets) == (("account_manager",), Targets(plain("1h", hours=1)))
    assert (security.ask_for, security.confirm_close, security.clock) == (("What did you see?",), True, True)


def test_rules_are_numbered_as_in_the_file(tmp_path):
    """Conditions and what they set; senders in comparable form; the last may end the list."""
    first, second = desk(
        tmp_path,
        LEVEL
        + """
[[rule]]
name = "outage"
words = ["outage"]
subject = ["down"]
body = ["nobody can work"]
sender = ["Ana@Customer.example", "*@*.customer.example"]
header = { "X-Severity" = "high", "X-Monitor" = "*" }
from_queue = ["support"]
then = { priority = "P1", type = "incident", assign = "kim", tags = ["outage", "loud"], service_level = "standard" }

[[rule]]
then = { queue = "support" }
stop = true
""",
    ).rules
    assert (first.number, first.name, second.number, second.stop) == (1, "outage", 2, True)
    assert (first.words, first.subject, first.body) == (("outage",), ("down",), ("nobody can work",))
    assert first.sender == ("ana@customer.example", "*@*.customer.example")
    assert (first.header, first.queue) == ({"X-Severity": "high", "X-Monitor": "*"}, ("support",))
    assert (first.set_priority, first.set_type, first.set_assignee) == ("P1", "incident", "kim")
    assert (first.set_tags, first.set_service_level, second.set_queue) == (
        ("outage", "loud"), "standard", "support",
    )  # fmt: skip


def test_a_ladder_names_agents_roles_and_people(tmp_path):
    """An agent is told as an agent, also where the file has the address; triggers keep their text without spaces."""
    first, second = desk(
        tmp_path,
        LEVEL
        + """
[[escalation]]
name = "the lead"
queue = "support"
when = ["80%", "breach", "breach + 4h", "request"]
targets = ["first_response"]
priorities = ["P1"]
to = ["kim", "assignee", "Lee@acme.example", '"Boss, Jo" <jo@acme.example>', { email = "cy@acme.example", phone = "+44 20" }]
repeat = "2h"
times = 3
always = true

[[escalation]]
when = ["request"]
to = ["admins"]
""",
        'service_level = "standard"',
    ).rungs
    assert [(when.text, when.share, when.after, when.request) for when in first.when] == [
        ("80%", 0.8, None, False),
        ("breach", None, plain("0s"), False),
        ("breach+4h", None, plain("4h", hours=4), False),
        ("request", None, None, True),
    ]
    assert first.to == (
        Contact(agent="kim"),
        Contact(agent="assignee"),
        Contact(agent="lee"),
        Contact(address="jo@acme.example", name="Boss, Jo"),
        Contact(address="cy@acme.example", phone="+44 20"),
    )
    assert (first.targets, first.priorities, first.times) == ((Target.FIRST_RESPONSE,), ("P1",), 3)
    assert (first.repeat, first.always) == (plain("2h", hours=2), True)
    assert (second.number, second.queue, second.repeat) == (2, "", None)


def test_a_report_has_a_time_and_filters(tmp_path):
    """07:00 unless another time is written."""
    reports = desk(
        tmp_path,
        """
[report.weekly]
every = "week"
to = ["boss@acme.example"]

[report.late]
every = "month"
to = ["boss@acme.example", "it@acme.example"]
at = "18:30"
queue = "support"
type = "complaint"
priority = "P1"
agent = "kim"
""",
    ).reports
    assert (reports["weekly"].every, reports["weekly"].at_minute) == ("week", 420)
    late = reports["late"]
    assert (late.at_minute, late.queue, late.type, late.priority, late.agent) == (
        1110, "support", "complaint", "P1", "kim",
    )  # fmt: skip
    assert late.to == ("boss@acme.example", "it@acme.example")


def test_organisations_of_the_file_and_of_a_csv_file_are_joined(tmp_path):
    """Both kinds become the same values, addresses in comparable form."""
    policy = desk_with_csv(
        tmp_path,
        "key;name;domains;contacts;others;account_manager;until;confirm_close\n"
        "bell;Bell & Söhne;bell.example *.bell.example;Ben@bell.example cy@agency.example;tell;kim;2027-06-30;no\n",
    )
    acme, bell = policy.organisations["acme"], policy.organisations["bell"]
    assert (acme.domains, acme.until, acme.confirm_close) == (("customer.example",), date(2027, 1, 31), True)
    assert (acme.account_manager, acme.calendar) == ("boss@acme.example", "always")
    assert (bell.name, bell.domains) == ("Bell & Söhne", ("bell.example", "*.bell.example"))
    assert (bell.contacts, bell.others) == (("ben@bell.example", "cy@agency.example"), "tell")
    assert (bell.account_manager, bell.until, bell.confirm_close) == ("kim", date(2027, 6, 30), False)


ACME = """
[organisation.acme]
name = "Acme"
domains = ["Customer.example"]
account_manager = "Boss@acme.example"
calendar = "always"
until = 2027-01-31
confirm_close = true
"""


def desk_with_csv(folder, text):
    """Return the policy of a desk with one organisation in the file and others in a CSV file."""
    return policy_of(load(path_with_csv(folder, text)))


def path_with_csv(folder, text):
    """Write a configuration whose organisations stand in a CSV file, too."""
    (folder / "customers.csv").write_text(text, encoding="utf-8")
    store = 'store = "desk.db"'
    return written(folder, changed((store, f'{store}\norganisations = "customers.csv"')) + ACME)


def test_an_unreadable_csv_file_makes_no_further_complaints(tmp_path):
    """What would be in it is not called unknown elsewhere."""
    path = path_with_csv(tmp_path, "key,name,domain\nbell,Bell,bell.example\n")
    path.write_text(path.read_text() + '[[rule]]\norganisation = ["bell"]\nthen = { priority = "P1" }\n')
    assert said_about(path) == 'customers.csv:1: "domain" is no known column; did you mean "domains"?'


def test_what_is_probably_not_meant_in_an_agreement_is_said(tmp_path):
    """Each is a warning, and the desk runs."""
    assert warned(
        tmp_path,
        OFFICE
        + """
[service_level.standard]
P1 = { first_response = "4wh", resolution = "2wh" }
P2 = { first_response = "4wh", resolution = "2h" }
P4 = { first_response = "4wh", resolution = "5h" }

[service_level.spare]

[queue.billing]
address = "billing@acme.example"
tag = "BIL"
agents = ["lee"]
calendar = "office"
service_level = "standard"

[organisation.acme]
name = "Acme"
domains = ["customer.example"]
contacts = ["ana@customer.example", "cy@agency.example"]
account_manager = "kim"

[organisation.bell]
name = "Bell"
others = "tell"

[[escalation]]
when = ["breach"]
to = ["account_manager"]
""",
        'service_level = "standard"\non_call = ["kim"]',
    ) == [
        'queue.support.service_level = "standard": counts working time, and this queue has no calendar: in it every hour counts, day and night; add calendar = "..."',
        'queue.support.on_call = ["kim"]: is never needed: an agent without hours is always on duty; add hours to the agents of the queue, or take it out',
        'service_level.standard.P1.first_response = "4wh": is longer than the resolution ("2wh"); they may have changed places',
        'service_level.standard.P2.first_response = "4wh": is longer than the resolution ("2h"); they may have changed places',
        'service_level.spare: nothing uses it; add service_level = "spare" to a queue or organisation',
        'organisation.acme.contacts[2] = "cy@agency.example": is in none of the organisation\'s domains; that is fine if it is meant',
        "organisation.bell: has neither domains nor contacts, so no mail is theirs; add domains = [...]",
        'organisation.bell.others = "tell": has no effect: without contacts everybody is one; add contacts = [...], or take it out',
        'escalation[1]: has no name: it is known by its place in the file, so it fires anew when a rung is written above it; add name = "..."',
        'escalation[1].to[1] = "account_manager": is nobody for bell; add account_manager to [organisation.bell]',
    ]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('words = ["printer"]', 'words = ["printers"]'),
        ('words = ["urgent"]', 'words = ["non-urgent"]'),
        ('header = { "X-Text" = "urgent" }', f'header = {{ "X-Text" = "{"very " * 40}urgent" }}'),
        ('subject = ["printer"]', 'words = ["printer"]'),
        ('words = ["printer"]\nbody = ["smoke"]', 'words = ["printer"]'),
        ('sender = ["ana@customer.example"]', 'sender = ["*@customer.example"]'),
        ('sender = ["*@*.customer.example"]', 'sender = ["ana@customer.example"]'),
        ('sender = ["*@customer.example"]', 'sender = ["ana@customer.example", "ben@bell.example"]'),
        ('header = { "X-Severity" = "high" }', 'header = { "X-Severity" = "*" }'),
        ('from_queue = ["billing"]', 'words = ["printer"]'),
        ('organisation = ["acme"]', 'organisation = ["acme", "bell"]'),
    ],
)
def test_a_rule_that_may_still_fire_is_left_alone(earlier, later, tmp_path):
    """Only what an earlier rule takes whole is refused; where a mail could pass it by, both stand."""
    more = f"""
[queue.billing]
address = "billing@acme.example"
tag = "BIL"
agents = ["lee"]

[organisation.acme]
name = "Acme"
domains = ["customer.example"]

[organisation.bell]
name = "Bell"
domains = ["bell.example"]

[[rule]]
{earlier}
then = {{ priority = "P1" }}
stop = true

[[rule]]
{later}
then = {{ priority = "P2" }}
"""
    assert len(desk(tmp_path, more).rules) == 2


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ('words = ["Printer"]', 'body = ["the printer, again"]'),
        (
            'sender = ["*@*.customer.example"]',
            'sender = ["*@lab.customer.example", "*@*.west.customer.example"]',
        ),
        ('sender = ["*@Customer.example"]', 'sender = ["ana@customer.EXAMPLE"]\nwords = ["help"]'),
        ('header = { "X-Severity" = "high" }', 'header = { "x-severity" = "very high", "X-Two" = "*" }'),
        ('header = { "X-Severity" = "*" }', 'header = { "X-Severity" = "low" }'),
        ('from_queue = ["support"]', 'words = ["help"]'),
    ],
)
def test_a_rule_that_another_leaves_nothing_to_is_refused(earlier, later, tmp_path):
    """Words in words, senders in domains, any value in a field, the only queue there is."""
    then = 'then = { priority = "P1" }'
    path = file(tmp_path, f"\n[[rule]]\n{earlier}\n{then}\nstop = true\n\n[[rule]]\n{later}\n{then}\n")
    assert "rule[2]: never fires: rule 1 takes all its mail" in said_about(path)


def test_a_rung_sees_the_targets_of_everything_its_tickets_may_be_under(tmp_path):
    """A level of an organisation, of a rule, or of a type is enough; a type's own targets count where it is named."""
    more = LEVEL + '\n[[escalation]]\nwhen = ["80%"]\ntargets = ["update", "first_response"]\nto = ["kim"]\n'
    assert "never fires" in said_about(file(tmp_path, more))
    for use in (
        '[organisation.acme]\nname = "Acme"\ndomains = ["customer.example"]\nservice_level = "standard"\n',
        '[[rule]]\nwords = ["gold"]\nthen = { service_level = "standard" }\n',
        '[type.outage]\nservice_level = "standard"\n',
        '[type.outage]\nupdate = "1h"\n',
    ):
        assert len(desk(tmp_path, more + use).rungs) == 1, use
    own = LEVEL + '\n[[escalation]]\ntype = "complaint"\nwhen = ["80%"]\nto = ["kim"]\n'
    assert len(desk(tmp_path, own).rungs) == 1


def test_a_rung_for_agreed_dates_alone_is_only_doubted(tmp_path):
    """#due gives any ticket a resolution to be kept, also where nothing was promised."""
    more = LEVEL + '\n[[escalation]]\nname = "Kim"\npriorities = ["P3"]\nwhen = ["breach"]\nto = ["kim"]\n'
    assert warned(tmp_path, more, 'service_level = "standard"') == [
        'escalation[1].when[1] = "breach": fires on agreed dates only (#due): no service level or type that this rung sees sets a target; add the target, if that is not meant'
    ]


def test_a_calendar_of_an_organisation_is_enough_for_working_time(tmp_path):
    """A level's working time has a calendar where the level, a queue or an organisation that uses it has one."""
    level = '\n[service_level.standard]\nP1 = { resolution = "4wh" }\n'
    acme = '\n[organisation.acme]\nname = "Acme"\ndomains = ["customer.example"]\n'
    queue = 'service_level = "standard"'
    assert "counts working time" in said_about(file(tmp_path, OFFICE + level + acme, queue))
    for text in (
        level + acme + 'calendar = "office"\n',
        level + 'P2 = { name = "High" }\ncalendar = "office"\n',
        level + acme,
    ):
        key = queue if "calendar" in text else f'{queue}\ncalendar = "always"'
        assert desk(tmp_path, OFFICE + text, key).service_levels["standard"].targets["P1"].resolution


def test_ten_thousand_organisations_load_at_once(tmp_path):
    """Ten thousand lines of CSV are read, checked and joined in a few seconds."""
    lines = [f"c{n},Company {n},c{n}.example,ana@c{n}.example,,kim,,,,\n" for n in range(10_000)]
    head = "key,name,domains,contacts,others,account_manager,service_level,calendar,until,confirm_close\n"
    policy = desk_with_csv(tmp_path, head + "".join(lines))
    assert len(policy.organisations) == 10_001


def test_lines_to_ask_for_take_the_place_of_the_queues(tmp_path):
    """A type's own lines, none where it says so; wishes and complaints are asked for nothing as shipped."""
    more = '[type.question]\nask_for = ["What for?"]\n[type.request]\nask_for = []\n'
    policy = desk(tmp_path, more, 'ask_for = ["Since when?"]')
    asked = {name: policy.ask_for(policy.queues["support"], name) for name in policy.types}
    assert asked == {
        "incident": ("Since when?",), "question": ("What for?",), "request": (), "enhancement": (), "complaint": (),
    }  # fmt: skip


@pytest.mark.parametrize(
    "more",
    [
        '[organisation.acme]\nname = "Acme"\ndomains = ["acme.example"]\naccount_manager = "max"\n',
        '[type.legal]\nroute = ["max"]\n',
        '[[escalation]]\nname = "Max"\nwhen = ["request"]\nto = ["max"]\n',
    ],
)
def test_whoever_is_named_elsewhere_needs_no_queue(tmp_path, more):
    """An account manager, or somebody of a route or ladder, is an agent there; without that it is a doubt."""
    person = '\n[agent.max]\nname = "Max Ray"\nemail = "max@acme.example"\n'
    assert warned(tmp_path, person + more) == []
    assert "is in no queue" in warned(tmp_path, person)[0]


def rung(name, more=""):
    """Return a rung for whoever asks."""
    return f'\n[[escalation]]\nname = "{name}"\nwhen = ["request"]\nto = ["kim"]\n{more}'


BILLING = '\n[queue.billing]\naddress = "billing@acme.example"\ntag = "BIL"\nagents = ["lee"]\n'
CUSTOMER = '\n[organisation.acme]\nname = "Acme"\ndomains = ["customer.example"]\n'


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('type = "complaint"', ""),
        ("", 'organisation = "acme"'),
        ('queue = "billing"', 'type = "complaint"'),
        ('queue = "billing"\ntype = "complaint"', 'queue = "billing"\norganisation = "acme"'),
    ],
)
def test_rungs_that_one_ticket_may_see_need_names_of_their_own(one, other, tmp_path):
    """A ticket keeps its history when its queue or type changes; only letters and digits tell names apart."""
    more = BILLING + CUSTOMER + rung("Team lead", one) + rung("team  LEAD!", other)
    assert 'is the name of rung 1 ("Team lead"), which the same ticket may see' in said_about(
        file(tmp_path, more)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('queue = "support"', 'queue = "billing"'),
        ('type = "complaint"', 'type = "incident"'),
        ('queue = "support"\ntype = "complaint"', 'queue = "billing"\norganisation = "acme"'),
    ],
)
def test_rungs_that_no_ticket_sees_both_may_share_a_name(one, other, tmp_path):
    """Another queue or another type is another ladder."""
    more = BILLING + CUSTOMER + rung("Team lead", one) + rung("Team lead", other)
    assert len(desk(tmp_path, more).rungs) == 2


@pytest.mark.parametrize("at", [1, 2])
def test_a_number_is_no_name_beside_a_rung_without_one(at, tmp_path):
    """A rung without a name is called by its place, so the name "2" may be taken; said where a name stands."""
    rungs = [rung("", "priorities = ['P1']"), rung("2" if at == 1 else "1")]
    more = "".join(rungs if at == 2 else reversed(rungs))
    assert (
        f'escalation[{at}].name = "{3 - at}": is what rung {3 - at} without a name is called'
        in said_about(file(tmp_path, more))
    )


@pytest.mark.parametrize("name", ["", "***"])
def test_a_rung_without_a_name_is_doubted(name, tmp_path):
    """What is no word in the history is no name."""
    assert warned(tmp_path, rung("Lead") + rung(name)) == [
        'escalation[2]: has no name: it is known by its place in the file, so it fires anew when a rung is written above it; add name = "..."'
    ]


COMPLAINTS = '\n[[rule]]\nsubject = ["complaint"]\nthen = { type = "complaint" }\n'
FOR_COMPLAINTS = (
    '\n[[escalation]]\nname = "Kim"\ntype = "complaint"\nwhen = ["80%", "request"]\nto = ["kim"]\n'
)
EVERYWHERE = '\n[[escalation]]\nname = "All"\nwhen = ["breach"]\nto = ["kim"]\n'
WARN_NOBODY = "its targets warn nobody: it keeps the queue's agents out, so only rungs of its own see it; add an [[escalation]] with type ="


@pytest.mark.parametrize(
    ("more", "place"),
    [
        (COMPLAINTS + EVERYWHERE, 'rule[1].then.type = "complaint"'),
        ('[type.complaint]\nresolution = "9d"\n' + COMPLAINTS, "type.complaint"),
        (COMPLAINTS + rung("Kim", 'type = "complaint"\n'), 'rule[1].then.type = "complaint"'),
    ],
)
def test_a_type_for_a_few_needs_a_rung_of_its_own(more, place, tmp_path):
    """The rungs for everybody see nothing of it, and one for requests says nothing of time."""
    assert f'{place}: {WARN_NOBODY} "complaint"' in warned(
        tmp_path, LEVEL + more, 'service_level = "standard"'
    )


def test_a_type_for_a_few_has_what_its_level_promises(tmp_path):
    """Without targets of its own those of a service level are the ones that nobody hears of."""
    legal = '\n[type.legal]\nroute = ["lee"]\nonly_route = true\n'
    assert warned(tmp_path, legal) == []
    assert warned(tmp_path, LEVEL + legal, 'service_level = "standard"') == [
        f'type.legal: {WARN_NOBODY} "legal"'
    ]


@pytest.mark.parametrize(
    "more",
    [
        FOR_COMPLAINTS,
        COMPLAINTS + FOR_COMPLAINTS,
        '[type.complaint]\nclock = false\nfirst_response = ""\n',
        "[type.complaint]\nonly_route = false\n",
        "[type.enhancement]\nonly_route = true\n",
        '[[rule]]\nsubject = ["wish"]\nthen = { type = "enhancement" }\n',
    ],
)
def test_a_type_for_a_few_that_is_looked_after_is_left_alone(more, tmp_path):
    """With a rung of its own (also one that tells the queue's agents), without clock, or for everybody."""
    assert warned(tmp_path, more) == []


@pytest.mark.parametrize(
    ("more", "places"),
    [
        (COMPLAINTS, ['rule[1].then.type = "complaint"']),
        (COMPLAINTS + CUSTOMER + 'account_manager = "lee"\n', ['rule[1].then.type = "complaint"']),
        ('[type.enhancement]\nonly_route = true\n[type.complaint]\nroute = ["lee"]\n', ["type.enhancement"]),
        ('[type.legal]\nroute = ["account_manager", "boss@acme.example"]\nonly_route = true\n', []),
    ],
)
def test_a_route_that_may_lead_to_nobody_is_doubted(more, places, tmp_path):
    """Without admins: nobody manages the account of those who belong to no organisation."""
    path = written(tmp_path, changed(('admins = ["it@acme.example"]\n', "")) + FOR_COMPLAINTS + more)
    said = [str(warning).partition(": ")[2] for warning in load(path).warnings]
    reason = ": mail of this type goes to the whole queue where no account manager is named; add admins to [desk], or route = [...] to "
    assert [line.partition(reason)[0] for line in said if reason in line] == places


def test_with_admins_a_route_leads_to_them(tmp_path):
    """The admins get what has no account manager."""
    assert warned(tmp_path, COMPLAINTS + FOR_COMPLAINTS) == []
