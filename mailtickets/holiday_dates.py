"""The one door to the `holidays` library: public holidays by country and region.

The library takes 0.1 s and 20 MB, so it is imported when the first calendar asks for holidays.
"""

from __future__ import annotations

import difflib
import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date

MAX_REGION = 60  # letters


def known(region: str) -> bool:
    """Tell whether we know the holidays of "GB" (ISO 3166-1) or "GB-ENG" (country and part, ISO 3166-2)."""
    country, dash, part = region.partition("-")
    return country in _parts() and (not dash or part in _parts()[country])


def suggest(region: str) -> str:
    """Return the region that was probably meant by "gb-eng", "GB-ENX", "ENG", "UK" or "Germany"; or ""."""
    wanted = region.strip().replace("_", "-")[:MAX_REGION]
    country, dash, part = wanted.partition("-")
    code = _codes().get(_plain(country), "")
    if code and not dash:
        return code
    if code:
        parts = {_plain(one): one for one in _parts()[code]} | _part_names(code)
        near = difflib.get_close_matches(_plain(part), parts, n=1, cutoff=0.6)
        return f"{code}-{parts[near[0]]}" if near else code
    homes = [home for home, parts in _parts().items() if wanted.upper() in parts]
    if len(homes) == 1:
        return f"{homes[0]}-{wanted.upper()}"
    names = [name for name in _codes() if len(name) > 3]
    near = difflib.get_close_matches(_plain(wanted), names, n=1, cutoff=0.8)
    return _codes()[near[0]] if near else ""


def dates(regions: str | Iterable[str]) -> Callable[[int], Mapping[date, str]]:
    """Return a function from a year to the names of its holidays, by date, in the languages of the countries.

    regions   one or several that are `known`; a day that is a holiday in one of them is one.
    """
    return _dates((regions,) if isinstance(regions, str) else tuple(regions))


@functools.cache  # so that the calendars of an unchanged configuration stay equal
def _dates(regions: tuple[str, ...]) -> Callable[[int], Mapping[date, str]]:
    import holidays  # noqa: PLC0415 - see above

    @functools.cache
    def of_year(year: int) -> Mapping[date, str]:
        found: dict[date, str] = {}
        for region in reversed(regions):
            country, _, part = region.partition("-")
            language = getattr(holidays, country).default_language  # else it would follow the environment
            # A holiday of one year may be observed in another: New Year's Day on the Friday before.
            near = range(year - 1, year + 2)
            named = holidays.country_holidays(country, subdiv=part or None, years=near, language=language)
            found |= {day: name for day, name in named.items() if day.year == year}
        return MappingProxyType(found)

    return of_year


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@functools.cache
def _parts() -> dict[str, tuple[str, ...]]:
    """Return the codes of all countries, each with those of its parts."""
    import holidays  # noqa: PLC0415

    found = holidays.list_supported_countries(include_aliases=False)
    return {country: tuple(parts) for country, parts in found.items()}


@functools.cache
def _codes() -> dict[str, str]:
    """Return the country code for every way to name a country: "germany", "deu", "de"."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415

    return {_plain(name): names[1] for names in COUNTRIES.values() for name in names}


def _part_names(country: str) -> dict[str, str]:
    """Return the code of each part of a country by its full name."""
    import holidays  # noqa: PLC0415

    aliases: Mapping[str, str] = getattr(getattr(holidays, country), "subdivisions_aliases", {})
    return {_plain(name): part for name, part in aliases.items()}
