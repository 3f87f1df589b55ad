"""Own verification of DKIM: does DNS answer. That its library is there is known: else the configuration is refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mailtickets.diagnosis.finding import Finding, ok, warning
from mailtickets.mail.message import domain_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mailtickets.config import Config


def dkim_findings(config: Config, name: str) -> Iterator[Finding]:
    """Ask DNS as for a key of the desk's own domain; that there is none is an answer, too."""
    from mailtickets.transport.dns import TxtLookup  # noqa: PLC0415  (its library is an extra)

    queue = next((one for one in config.queues.values() if one.mailbox == name), None)
    asked = f"_domainkey.{domain_of(queue.address) if queue else 'example.com'}"
    began = time.monotonic()
    trouble = TxtLookup().trouble(asked)
    area = f"mailbox.{name}"
    if trouble:
        what = (
            f"DKIM is verified here, but DNS says nothing of {asked}: {trouble}; so no sender is proven by it"
        )
        yield warning(area, "verify_dkim", what, f"look at /etc/resolv.conf; by hand: dig TXT {asked}")
    else:
        took = time.monotonic() - began
        yield ok(area, "verify_dkim", f"DKIM is verified here; dkimpy is there, DNS answers ({took:.2f} s)")
