"""The door to DNS: TXT records, with dnspython. Answers within seconds or not at all, and remembers for a while.

Trusts the resolvers of this machine (/etc/resolv.conf), as every mail server does. MAILTICKETS_DNS names another one
in their place ("127.0.0.1:5353"): so a test has a domain of its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver

from mailtickets.mail.authentication import is_public_suffix

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SECONDS = 3.0  # for all names of one call together: they are asked for side by side
TRY_SECONDS = 1.0  # then the question is asked again, of the next server
KEEP_SECONDS = (60, 3600)  # an answer is kept for as long as it says, within these
KEEP_NONE_SECONDS = 300.0  # a name that is not there
KEEP_TROUBLE_SECONDS = 10.0  # no answer: so that a dead server does not hold up every mail
MOST_SILENT = 3  # names of one organisation without an answer: then its others are not waited for either
MOST_NAMES = 150  # of one call; 50 mails with 3 signatures each
MOST_KEPT = 2000
MAX_TEXT = 4096  # letters
UDP_BYTES = 1232  # that fit a packet everywhere: most keys come without a second question by TCP


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is known of a name: its one TXT record, or None; `trouble` where nobody answered."""

    text: str | None
    keep_seconds: float
    trouble: str = ""


class TxtLookup:
    """Looks up TXT records and keeps what it found. May be used by several threads.

    server   address and port of the resolver; None: those of this machine.
    clock    seconds that never go back.
    """

    def __init__(
        self, server: tuple[str, int] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._server, self._clock = server or _server_of_test(), clock
        self._kept: dict[str, tuple[float, _Answer]] = {}
        self._lock = threading.Lock()

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        """Return the TXT record of each name that has exactly one; waits for SECONDS at most, never raises.

        A name without an answer is left out like one that is not there, and asked for again a little later. So are further
        names of an organisation of which several had none: whoever thinks up names for every mail holds up nobody for long.
        """
        now = self._clock()
        with self._lock:
            known = {name: kept[1] for name in names if (kept := self._kept.get(name)) and kept[0] > now}
            silent = self._silent(now)
        wanted = (name for name in dict.fromkeys(names) if name not in known)
        unknown = [name for name in wanted if _organisation(name) not in silent][:MOST_NAMES]
        if unknown:
            found = self._asked(unknown)
            self._keep(found)
            known.update(found)
        return {name: answer.text for name, answer in known.items() if answer.text is not None}

    def trouble(self, name: str) -> str:
        """Return why DNS gives no answer about a name, or "" where it does: that there is no such name is one."""
        return self._asked([name])[name].trouble

    def _silent(self, now: float) -> set[str]:
        """Return the organisations of which several names are in trouble now."""
        troubled = Counter(
            _organisation(name)
            for name, (until, answer) in self._kept.items()
            if answer.trouble and until > now
        )
        return {one for one, count in troubled.items() if count >= MOST_SILENT}

    def _keep(self, found: dict[str, _Answer]) -> None:
        now = self._clock()
        with self._lock:
            for name, answer in found.items():
                self._kept.pop(name, None)
                self._kept[name] = now + answer.keep_seconds, answer
            while len(self._kept) > MOST_KEPT:
                del self._kept[next(iter(self._kept))]

    def _asked(self, names: list[str]) -> dict[str, _Answer]:
        # A thread of its own, since the caller's may have a loop that runs.
        with ThreadPoolExecutor(1, "dns") as one:
            return one.submit(asyncio.run, self._ask_all(names)).result()

    async def _ask_all(self, names: list[str]) -> dict[str, _Answer]:
        try:
            resolver = self._resolver()
        except (dns.exception.DNSException, OSError, ValueError) as error:
            trouble = _Answer(None, KEEP_TROUBLE_SECONDS, f"no resolver is set up ({type(error).__name__})")
            return dict.fromkeys(names, trouble)
        answers = await asyncio.gather(*(_ask(resolver, name) for name in names))
        return dict(zip(names, answers, strict=True))

    def _resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=self._server is None)
        if self._server is not None:
            resolver.nameservers, resolver.port = [self._server[0]], self._server[1]
        resolver.timeout, resolver.lifetime, resolver.retry_servfail = TRY_SECONDS, SECONDS, True
        resolver.use_edns(0, payload=UDP_BYTES)
        return resolver


def _organisation(name: str) -> str:
    """Return the domain of the organisation to which a name belongs, as far as that can be told."""
    labels = name.lower().rstrip(".").split(".")
    ends = (".".join(labels[-count:]) for count in range(2, len(labels)))
    return next((end for end in ends if not is_public_suffix(end)), name)


async def _ask(resolver: dns.asyncresolver.Resolver, name: str) -> _Answer:
    try:
        absolute = dns.name.from_text(name, dns.name.root)
        answer = await asyncio.wait_for(resolver.resolve(absolute, "TXT", search=False), SECONDS + 0.5)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return _Answer(None, KEEP_NONE_SECONDS)
    except (dns.exception.Timeout, TimeoutError):
        return _Answer(None, KEEP_TROUBLE_SECONDS, f"no answer within {SECONDS:g} s")
    except dns.resolver.NoNameservers:
        return _Answer(None, KEEP_TROUBLE_SECONDS, "every server refuses or fails")
    except Exception as error:  # noqa: BLE001  (names that are none, loops of CNAMEs, whatever a server sends)
        return _Answer(None, KEEP_TROUBLE_SECONDS, f"no answer that can be used ({type(error).__name__})")
    least, most = KEEP_SECONDS
    keep = min(max(answer.chaining_result.minimum_ttl, least), most)
    texts = [b"".join(record.strings) for record in answer]
    # RFC 6376 section 3.6.2.2: what several records mean is not defined.
    if len(texts) != 1 or len(texts[0]) > MAX_TEXT or not texts[0].isascii():
        return _Answer(None, keep)
    return _Answer(texts[0].decode("ascii"), keep)


def _server_of_test() -> tuple[str, int] | None:
    address, _, port = os.environ.get("MAILTICKETS_DNS", "").rpartition(":")
    return (address, int(port)) if address else None
