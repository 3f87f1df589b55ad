"""Times as the store keeps them: integer microseconds since 1970 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(moment: datetime) -> int:
    """Return an aware time in microseconds; exact, unlike a float of seconds."""
    return (moment - _EPOCH) // _MICROSECOND


def to_us_or_none(moment: datetime | None) -> int | None:
    """Return a time in microseconds, or None for None."""
    return None if moment is None else to_us(moment)


def from_us(microseconds: int) -> datetime:
    """Return the aware UTC time that was stored."""
    return _EPOCH + timedelta(microseconds=microseconds)


def from_us_or_none(microseconds: int | None) -> datetime | None:
    """Return the time that was stored, or None for NULL."""
    return None if microseconds is None else from_us(microseconds)
