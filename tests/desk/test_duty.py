"""Who is told at once, who in the morning, and who is called at night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from mailtickets.desk.calendar import ALWAYS, Calendar
from mailtickets.desk.duty import Telling, when_to_tell
from tests.support.desk import KIM, LEE, POLICY, SUPPORT

ZONE = "Europe/London"
EARLY = Calendar("early", ZONE, [[(420, 900)]] * 5 + [[], []])  # 07:00 to 15:00
OFFICE = Calendar("office", ZONE, [[(540, 1050)]] * 5 + [[], []])  # 09:00 to 17:30
DESK = replace(
    POLICY,
    calendars={"early": EARLY, "office": OFFICE},
    agents={"kim": replace(KIM, hours="early"), "lee": replace(LEE, hours="office"), "max": replace(LEE, key="max")},
)  # fmt: skip
ON_CALL = replace(SUPPORT, on_call=("lee",))
MORNING = datetime(2026, 3, 3, 8, 0, tzinfo=UTC)  # a Tuesday
NIGHT = datetime(2026, 3, 3, 23, 0, tzinfo=UTC)
FRIDAY_NIGHT = datetime(2026, 3, 6, 23, 0, tzinfo=UTC)


def told(agents, now, calendar=OFFICE, queue=SUPPORT):
    return when_to_tell(agents, queue, DESK, calendar, now)


def test_who_is_on_duty_is_told_at_once_and_the_others_when_their_hours_begin():
    """At eight Kim works, and Lee comes at nine."""
    nine = MORNING.replace(hour=9)
    assert told(["kim", "lee"], MORNING) == (Telling("kim"), Telling("lee", nine))


def test_an_agent_without_hours_is_always_told():
    """Hours are for those who want them."""
    assert told(["max"], NIGHT) == (Telling("max"),)


def test_at_night_a_notice_waits_for_the_morning_where_the_customer_is_asleep_too():
    """The ticket's own calendar is closed, so nobody is called."""
    seven = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)
    assert told(["kim"], NIGHT, OFFICE, ON_CALL) == (Telling("kim", seven),)


def test_a_notice_of_friday_night_waits_for_monday():
    """The next opening is three days off."""
    assert told(["lee"], FRIDAY_NIGHT) == (Telling("lee", datetime(2026, 3, 9, 9, 0, tzinfo=UTC)),)


def test_at_night_who_is_on_call_is_told_for_a_customer_around_the_clock():
    """Kim hears of it in the morning all the same; Lee is called though it is outside his hours."""
    seven = datetime(2026, 3, 4, 7, 0, tzinfo=UTC)
    assert told(["kim"], NIGHT, ALWAYS, ON_CALL) == (Telling("kim", seven), Telling("lee", called=True))


def test_an_agent_who_is_on_call_is_told_once():
    """One of the queue's own agents may be the one on call."""
    assert told(["lee", "kim", "kim"], NIGHT, ALWAYS, ON_CALL)[-1] == Telling("lee", called=True)
    assert len(told(["lee", "kim", "kim"], NIGHT, ALWAYS, ON_CALL)) == 2


def test_nobody_is_called_while_somebody_is_on_duty():
    """One who is there is enough."""
    assert [one.agent for one in told(["kim", "max"], NIGHT, ALWAYS, ON_CALL)] == ["kim", "max"]


def test_nobody_is_called_for_nobody():
    """A complaint that no agent gets is nothing for those on call either; unknown keys are nobody."""
    assert told([], NIGHT, ALWAYS, ON_CALL) == ()
    assert told(["gone"], NIGHT, ALWAYS, ON_CALL) == ()


def test_with_nobody_on_call_it_waits():
    """There is no one else."""
    assert told(["kim"], NIGHT, ALWAYS)[0].not_before is not None


@given(
    st.lists(st.sampled_from(["kim", "lee", "max", "gone"])),
    st.lists(st.sampled_from(["kim", "lee", "max", "gone"]), max_size=3),
    st.integers(0, 14 * 24 * 60),
    st.sampled_from([ALWAYS, OFFICE, EARLY]),
)
def test_everybody_is_told_once_and_not_in_the_past(agents, on_call, minutes, calendar):
    """Where the ticket's calendar is open and somebody is on call, there is always one who is told at once."""
    now = NIGHT + timedelta(minutes=minutes)
    tellings = told(agents, now, calendar, replace(SUPPORT, on_call=tuple(on_call)))
    keys = [one.agent for one in tellings]
    assert len(keys) == len(set(keys))
    assert set(agents) - {"gone"} <= set(keys)
    assert all(one.not_before is None or one.not_before > now for one in tellings)
    if set(agents) - {"gone"} and set(on_call) - {"gone"} and calendar.is_open(now):
        assert any(one.not_before is None for one in tellings)
