"""Who hears of a ticket: never nobody, and of a complaint nobody who should not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from mailtickets.desk.agreement import SHIPPED_TYPES, Organisation, Rule, TicketType
from mailtickets.desk.policy import AgentPolicy
from mailtickets.desk.route import hearers, rightful, routed_as
from mailtickets.desk.ticket import Ticket
from tests.support.desk import POLICY, SUPPORT, Desk

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TICKET = Ticket(1001, "SUP", "support", "Printer", "ana@customer.example", NOW, NOW)
MAX = AgentPolicy("max", "Max Ray", "max@desk.example")
CUSTOMER = Organisation("customer", "Customer Ltd", ("customer.example",), account_manager="max")
DESK = replace(
    POLICY, agents={**POLICY.agents, "max": MAX}, organisations={"customer": CUSTOMER}
)  # Max is no agent of the queue


def test_without_owner_the_whole_queue_hears_with_owner_only_the_owner():
    """Once assigned, a ticket is its assignee's."""
    assert hearers(TICKET, SUPPORT, DESK).agents == ("kim", "lee")
    assert hearers(replace(TICKET, assignee="lee"), SUPPORT, DESK).agents == ("lee",)
    assert hearers(TICKET, SUPPORT, DESK, but=("kim",)).agents == ("lee",)


def test_a_complaint_goes_to_the_account_manager_only():
    """The queue's agents are not told, the account manager may act."""
    complaint = replace(TICKET, type="complaint", organisation="customer")
    assert hearers(complaint, SUPPORT, DESK).agents == ("max",)
    assert "max" in rightful(complaint, SUPPORT, DESK)


def test_a_complaint_without_account_manager_goes_to_the_admins():
    """An admin who is no agent gets the text and no rights."""
    heard = hearers(replace(TICKET, type="complaint"), SUPPORT, DESK)
    assert heard.agents == ()
    assert [person.address for person in heard.others] == ["it@desk.example"]


def test_a_route_to_nobody_falls_back_to_the_queue():
    """No account manager, no admins: the queue's agents see it rather than nobody."""
    desk = replace(DESK, admins=())
    assert hearers(replace(TICKET, type="complaint"), SUPPORT, desk).agents == ("kim", "lee")


def test_an_enhancement_adds_the_account_manager_to_the_queue():
    """The wish is shown to whoever talks to the customer about new things."""
    wish = replace(TICKET, type="enhancement", organisation="customer")
    assert hearers(wish, SUPPORT, DESK).agents == ("kim", "lee", "max")


def test_an_expired_agreement_is_shown_to_the_account_manager():
    """The ticket is kept, and whoever sells learns of it."""
    expired = replace(TICKET, organisation="customer", tags=("expired",))
    assert "max" in hearers(expired, SUPPORT, DESK).agents


def test_plain_addresses_of_a_route_get_no_rights():
    """Only agents of the configuration ever act by mail."""
    kinds = {**SHIPPED_TYPES, "legal": TicketType("legal", ("jo@lawyer.example",), only_route=True)}
    heard = hearers(replace(TICKET, type="legal"), SUPPORT, replace(DESK, types=kinds))
    assert heard.agents == ()
    assert [(person.address, person.agent) for person in heard.others] == [("jo@lawyer.example", "")]


def test_an_expired_agreement_is_shown_to_the_account_manager_though_somebody_owns_the_ticket():
    """The owner works on it, and whoever sells has to know all the same."""
    expired = replace(TICKET, organisation="customer", tags=("expired",), assignee="lee")
    assert hearers(expired, SUPPORT, DESK).agents == ("lee", "max")


def test_only_who_has_an_account_manager_is_told_of_one():
    """The words are those of the type; a customer without account manager is told something true."""
    wish = replace(TICKET, type="enhancement")
    assert routed_as(replace(wish, organisation="customer"), DESK) == "enhancement"
    assert routed_as(wish, DESK) == "enhancement_elsewhere"
    assert routed_as(replace(TICKET, type="complaint"), DESK) == "complaint"
    assert routed_as(TICKET, DESK) == ""


def test_a_wish_is_not_dealt_out_to_the_queue(tmp_path):
    """In a queue that assigns its tickets by turns the account manager still gets the wish, and nobody owns it."""
    rule = Rule(1, words=("new feature",), set_type="enhancement")
    queue = replace(SUPPORT, notify="round-robin")
    desk = Desk(tmp_path, replace(DESK, queues={"support": queue}, rules=(rule,)))
    desk.writes("ana@customer.example", "A new feature: ice.")
    desk.writes("ana@customer.example", "It burns.")
    assert [desk.ticket(number).assignee for number in (1001, 1002)] == ["", "kim"]
    assert [mail.kind for mail in desk.sent_to("max@desk.example")] == ["agent_new"]
    desk.close()
