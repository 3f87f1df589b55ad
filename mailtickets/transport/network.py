"""What the doors to mail servers share: a TLS context that verifies, and words for a failed network.

Nothing here can be told to skip verification (RFC 8314 section 3: no silent fall back to clear text).
"""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
import ssl
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_REASON_LETTERS = 300

# OpenSSL's X509_V_ERR numbers: self-signed, self-signed in chain, no issuer here, first certificate not verifiable.
_UNKNOWN_ISSUER = {18, 19, 20, 21}
_WRONG_NAME = {62, 64}
_EXPIRED, _NOT_YET_VALID = 10, 9

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]+")


class Security(StrEnum):
    """How a connection is protected; NONE only to this machine itself."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Trouble(NamedTuple):
    """Why something failed and what to do about it; the remedy is "" where only waiting helps."""

    reason: str
    remedy: str = ""


def check_login(section: str, password_from: str, *, token: bool) -> str:
    """Return what to look at after a refused login.

    password_from   where the password is kept, in words; "" = not known here.
    """
    if token:
        return f"check [{section}] username and token"
    return f"check [{section}] username and password" + (f" ({password_from})" if password_from else "")


class NotAllowed(Exception):  # noqa: N818 - named for the situation
    """A connection we refuse to make: the settings would send a password in clear or verify nothing."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.trouble = Trouble(reason, remedy)


def one_line(text: str) -> str:
    """Return what a server said as one short line without control, bidi or surrogate characters."""
    line = " ".join(_UNSEEN.sub(" ", text[: 4 * MAX_REASON_LETTERS]).split())
    return line if len(line) <= MAX_REASON_LETTERS else line[: MAX_REASON_LETTERS - 3] + "..."


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: `localhost` or an address of the loopback network."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def tls_context(security: Security, host: str, ca_file: Path | None, section: str) -> ssl.SSLContext | None:
    """Return the context to connect with, or None for clear text to this machine.

    ca_file  trust only the CAs in this file; None = those of the system.
    section  of the config, as in "mailbox.support"; for the remedy.

    Verifies chain and host name, TLS 1.2 at least. Raises NotAllowed.
    """
    if security is Security.NONE:
        if is_loopback(host):
            return None
        raise NotAllowed(
            f'security = "none" would send the password to {host} in clear text',
            f'set security = "tls" or "starttls" in [{section}]; "none" is for this machine only',
        )
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ValueError) as error:
        words = (
            "holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        )
        reason = f"the ca_file {ca_file} cannot be used: {words or error}"
        raise NotAllowed(
            reason, f"set ca_file in [{section}] to a PEM file with the certificate of the CA"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def network_trouble(error: BaseException, host: str, port: int, section: str) -> Trouble:
    """Return in words why a connection failed; `error` may wrap the true cause."""
    place = f"{host}:{port}"
    causes = tuple(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate_trouble(cause, host, section)
    for cause in causes:
        if isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return Trouble(f"{place} closed the connection")
        if isinstance(cause, ssl.SSLError):
            return _tls_trouble(cause, place, section)
        if isinstance(cause, socket.gaierror):
            return _name_trouble(cause, host, section)
        if isinstance(cause, ConnectionRefusedError) or getattr(cause, "errno", None) == errno.ECONNREFUSED:
            return Trouble(
                f"nothing listens on {place} (connection refused)",
                f"check host and port in [{section}], and that the server runs",
            )
        if isinstance(cause, TimeoutError):
            return Trouble(
                f"no answer from {place} in time",
                f"check host, port and security in [{section}], and the firewall",
            )
        if isinstance(cause, OSError) and cause.errno in {
            errno.ENETUNREACH,
            errno.EHOSTUNREACH,
            errno.ENETDOWN,
        }:
            return Trouble(f"no route to {place} ({cause.strerror})", "check this machine's network")
    # asyncio reports several refused addresses of one name as one OSError that only has a text.
    if any(isinstance(cause, OSError) and "Multiple exceptions" in str(cause) for cause in causes):
        return Trouble(
            f"none of the addresses of {place} could be reached", f"check host and port in [{section}]"
        )
    if any(isinstance(cause, ConnectionError | EOFError) for cause in causes):
        return Trouble(f"{place} closed the connection")
    return Trouble(f"the connection to {place} failed: {one_line(str(error)) or type(error).__name__}")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it wraps, outermost first; bounded."""
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _certificate_trouble(error: ssl.SSLCertVerificationError, host: str, section: str) -> Trouble:
    if error.verify_code in _UNKNOWN_ISSUER:
        return Trouble(
            f"the certificate of {host} is not signed by a CA this machine trusts ({error.verify_message})",
            f"set ca_file in [{section}] to the certificate of the CA that signed it",
        )
    if error.verify_code in _WRONG_NAME:
        return Trouble(
            f"the certificate that {host} shows is not for that name ({error.verify_message})",
            f"set host in [{section}] to a name that stands in the certificate",
        )
    if error.verify_code in {_EXPIRED, _NOT_YET_VALID}:
        when = "has expired" if error.verify_code == _EXPIRED else "is not valid yet"
        return Trouble(
            f"the certificate of {host} {when}",
            "renew it on the server; if it is in order, check this machine's clock",
        )
    return Trouble(
        f"the certificate of {host} cannot be trusted: {error.verify_message}",
        "have the server's certificate repaired",
    )


def _tls_trouble(error: ssl.SSLError, place: str, section: str) -> Trouble:
    why = (error.reason or "").upper()
    if why in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"}:
        return Trouble(
            f"{place} does not speak TLS from the first byte",
            f'set security = "starttls" in [{section}], or the port that speaks TLS at once',
        )
    if "PROTOCOL" in why or "VERSION" in why:
        return Trouble(
            f"{place} offers no TLS of version 1.2 or later", "have the server's TLS settings renewed"
        )
    return Trouble(f"TLS with {place} failed: {one_line(error.reason or str(error))}")


def _name_trouble(error: socket.gaierror, host: str, section: str) -> Trouble:
    if error.errno == socket.EAI_AGAIN:
        return Trouble(
            f"the name {host} could not be looked up: no name server answered",
            f"check this machine's network and name servers, and host in [{section}]",
        )
    return Trouble(f"the name {host} is not known", f"check host in [{section}]")
