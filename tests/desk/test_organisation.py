"""Which company an address belongs to, and who of it may open tickets."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailtickets.desk.agreement import Contact, Organisation
from mailtickets.desk.organisation import May, Standing, account_manager, may_open, organisation_of
from tests.support.desk import POLICY

ACME = Organisation(
    "acme", "Acme Ltd", ("acme.example", "*.acme.example"), ("ana@acme.example", "cora@consultant.example")
)
LAB = Organisation("lab", "Acme Lab", ("lab.acme.example",))
CUSTOMER = Organisation("customer", "Customer Inc", ("customer.example",))
DESK = replace(POLICY, organisations={one.key: one for one in (ACME, LAB, CUSTOMER)})
TODAY = date(2026, 3, 2)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("ana@acme.example", "acme"),
        ("ANA@Acme.Example", "acme"),
        ("ben@acme.example", "acme"),
        ("ben@eu.acme.example", "acme"),
        ("ben@a.b.acme.example", "acme"),
        ("ben@lab.acme.example", "lab"),  # the nearest that is written
        ("ben@x.lab.acme.example", "acme"),  # lab has no "*."
        ("cora@consultant.example", "acme"),  # a contact, whatever the domain
        ("dan@consultant.example", None),
        ("ana@customer.example", "customer"),
        ("ana@sub.customer.example", None),
        ("ana@notcustomer.example", None),
        ("ana@customer.example.evil.example", None),
        ("\u212aim@customer.example", "customer"),
        ("customer.example", None),
        ("", None),
        ("ana@" + "a." * 50_000 + "acme.example", None),
    ],
)
def test_contacts_first_then_the_nearest_domain(address, key):
    """Subdomains belong to an organisation only where "*." is written."""
    found = organisation_of(address, DESK)
    assert (found.key if found else None) == key


def test_a_reload_is_seen_at_once():
    """The directory belongs to the policy it was made of."""
    assert organisation_of("ana@customer.example", DESK) == CUSTOMER
    moved = replace(DESK, organisations={"new": replace(CUSTOMER, key="new")})
    assert organisation_of("ana@customer.example", moved).key == "new"
    assert organisation_of("ana@customer.example", POLICY) is None
    assert organisation_of("ana@customer.example", DESK) == CUSTOMER


@given(st.text(max_size=60))
def test_no_address_is_too_strange_to_look_up(address):
    """Whatever stands in From finds an organisation or none."""
    found = organisation_of(address, DESK)
    assert found is None or address.isascii() or found.domains


@pytest.mark.parametrize(
    ("address", "others", "until", "standing"),
    [
        ("ana@acme.example", "hold", None, Standing(May.ACCEPT)),
        ("Ana@ACME.example", "hold", None, Standing(May.ACCEPT)),
        ("cora@consultant.example", "tell", None, Standing(May.ACCEPT)),
        ("ben@acme.example", "accept", None, Standing(May.ACCEPT)),
        ("ben@acme.example", "tell", None, Standing(May.TELL, ACME.contacts)),
        ("ben@acme.example", "hold", None, Standing(May.HOLD, ACME.contacts)),
        ("ben@acme.example", "hold", date(2026, 3, 2), Standing(May.HOLD, ACME.contacts)),
        ("ben@acme.example", "hold", date(2026, 3, 1), Standing(May.EXPIRED)),
        ("ana@acme.example", "hold", date(2026, 3, 1), Standing(May.EXPIRED)),
        ("ana@acme.example", "hold", date(2026, 3, 2), Standing(May.ACCEPT)),
    ],
)
def test_contacts_may_open_others_as_agreed(address, others, until, standing):
    """Who is not a contact is accepted, told or held; after the last day of the agreement nobody opens as before."""
    assert may_open(replace(ACME, others=others, until=until), address, TODAY) == standing


def test_without_contacts_everybody_of_the_domain_may():
    """Nobody can be told to go through somebody."""
    assert may_open(replace(CUSTOMER, others="hold"), "ben@customer.example", TODAY) == Standing(May.ACCEPT)


@pytest.mark.parametrize(
    ("named", "who"),
    [
        ("kim", Contact(agent="kim", address="kim@desk.example", name="Kim Archer")),
        ("kim@desk.example", Contact(agent="kim", address="kim@desk.example", name="Kim Archer")),
        ("jo@sales.example", Contact(address="jo@sales.example")),
        ("gone", None),
        ("", None),
    ],
)
def test_the_account_manager_is_an_agent_or_an_address(named, who):
    """An address that is an agent's is that agent."""
    assert account_manager(replace(ACME, account_manager=named), DESK) == who
    assert account_manager(None, DESK) is None
