"""Names of time zones: which ones exist. The rules of a zone are for those who compute local times."""

from functools import cache, lru_cache
from zoneinfo import available_timezones

MACHINE_ZONES = frozenset({"localtime", "posixrules", "Factory"})
"""Names of the tz database that are not of a place."""


@lru_cache(maxsize=4096)
def is_zone_name(name: str) -> bool:
    """Whether this is the name of an IANA time zone, the same on every machine."""
    return name in _zone_names()


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones()) - MACHINE_ZONES
