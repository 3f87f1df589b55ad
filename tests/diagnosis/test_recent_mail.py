"""Addresses that name no queue, and whose verdicts mail carries."""

from __future__ import annotations

from mailtickets.desk.policy import AgentPolicy, Policy, QueuePolicy
from mailtickets.diagnosis.recent_mail import Arrived, judge_addresses, judge_authserv_id
from mailtickets.mail.parse import parse

POLICY = Policy(
    "Desk",
    {
        "support": QueuePolicy("support", "support@desk.example", "SUP", mailbox="main", aliases=("it@desk.example",)),
        "billing": QueuePolicy("billing", "billing@desk.example", "BIL", mailbox="other"),
    },
    {"kim": AgentPolicy("kim", "Kim", "kim@desk.example")},
    admins=("root@desk.example",),
)  # fmt: skip
DOMAINS = frozenset({"desk.example"})


def mail(to, from_="ana@customer.example", mailbox="main", **headers):
    lines = [
        f"{name.replace('_', '-')}: {value}" for name, value in {"From": from_, "To": to, **headers}.items()
    ]
    return Arrived(mailbox, parse("\r\n".join([*lines, "", ""]).encode()))


def judged(*mails):
    return [
        (one.check, one.state.value, one.what, one.remedy) for one in judge_addresses(mails, POLICY, DOMAINS)
    ]


def test_an_address_of_our_domain_is_listed_with_the_line_to_add():
    """The most frequent first, counted, for the queue that took them; aliases that are there stay in the line."""
    ((check, state, what, remedy),) = judged(
        mail("help@desk.example"), mail("Info <INFO@desk.example>"), mail("info@desk.example"), mail("support@desk.example")
    )  # fmt: skip
    assert (check, state) == ("addresses.support", "warning")
    assert what.endswith("went to support: info@desk.example (2), help@desk.example (1)")
    assert (
        'aliases = ["it@desk.example", "info@desk.example", "help@desk.example"] in [queue.support]' in remedy
    )


def test_each_mailboxs_first_queue_has_its_own_line():
    """What names no queue goes there."""
    found = judged(mail("a@desk.example"), mail("b@desk.example", mailbox="other"))
    assert [check for check, *_ in found] == ["addresses.support", "addresses.billing"]


def test_mail_that_names_a_queue_anywhere_is_not_listed():
    """In Cc, in Delivered-To, with a detail: it went where it should."""
    found = judged(
        mail("help@desk.example", Cc="support+k.1@desk.example"),
        mail("help@desk.example", Delivered_To="it@desk.example"),
    )
    assert [(check, state) for check, state, *_ in found] == [("addresses", "ok")]


def test_foreign_addresses_count_only_where_several_people_write_to_them():
    """A blind copy names anybody's address; an old address of ours is written to by many."""
    assert judged(mail("boss@customer.example"), mail("boss@customer.example"))[0][1] == "ok"
    found = judged(mail("desk@old.example"), mail("desk@old.example", from_="ben@customer.example"))
    assert "desk@old.example (2)" in found[0][2]


def test_people_and_lists_are_no_aliases():
    """The writer, agents, admins, and what came through a mailing list."""
    found = judged(
        mail("ana@customer.example", Delivered_To="kim@desk.example"),
        mail("root@desk.example"),
        mail("list@desk.example", List_Id="<list.desk.example>"),
    )
    assert [state for _, state, *_ in found] == ["ok"]


def heads(*ids):
    return [(("Authentication-Results", f"{one}; dmarc=pass"),) if one else () for one in ids]


def test_an_authserv_id_that_is_seen_and_not_set_is_told_with_its_line():
    """The most frequent one; whether it is ours only a person knows."""
    finding = judge_authserv_id(
        "mailbox.support", "", heads("mx.desk.example", "mx.desk.example", "other.example", "")
    )
    assert (finding.state.value, finding.check) == ("warning", "mailbox.support.authserv_id")
    assert '"mx.desk.example" stand on 2 of the newest mails (4 looked at)' in finding.what
    assert (
        finding.remedy
        == 'if that is your own mail server: authserv_id = "mx.desk.example" in [mailbox.support]'
    )


def test_an_authserv_id_that_is_set_must_be_seen():
    """On any of the newest mails; else it proves nobody, and another one may be the right one."""
    assert (
        judge_authserv_id("m", "MX.desk.example", heads("mx.desk.example", "", "", "", "")).state.value
        == "ok"
    )
    assert judge_authserv_id("m", "mx.desk.example", heads("", "", "", "")).state.value == "ok"  # too few
    renamed = judge_authserv_id("m", "mx.desk.example", heads(*["mx2.desk.example"] * 5))
    assert (renamed.state.value, 'authserv_id = "mx2.desk.example"' in renamed.remedy) == ("warning", True)
    unseen = judge_authserv_id("m", "mx.desk.example", heads(*[""] * 5))
    assert (unseen.state.value, "take authserv_id out" in unseen.remedy) == ("warning", True)


def test_no_authserv_id_anywhere_is_no_trouble():
    """Reply keys prove people without it."""
    assert judge_authserv_id("m", "", heads("", "")).state.value == "ok"
    assert judge_authserv_id("m", "", []).state.value == "ok"
    assert judge_authserv_id("m", "", []).what.endswith("proven by reply keys only")
    assert judge_authserv_id("m", "", [], verified=True).what.endswith("reply keys, and DKIM verified here")
