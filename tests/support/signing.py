"""Signs mail with DKIM as a company's mail server does, with throw-away keys; may also sign what no honest server would."""

from __future__ import annotations

import base64
import functools
import hashlib
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

from dkim import DKIM, HASH_ALGORITHMS
from dkim.canonicalization import CanonicalizationPolicy
from dkim.crypto import parse_pem_private_key

SIGNED = (
    "from", "to", "subject", "date", "message-id", "content-type", "mime-version", "content-transfer-encoding",
    "reply-to", "cc", "in-reply-to", "references",
)  # fmt: skip
SIGNED_AT = datetime(2026, 3, 2, 8, 59, tzinfo=UTC)


def _openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(("openssl", *arguments), input=stdin, check=True, capture_output=True).stdout


class RsaKey:
    """An RSA key, made for this run of the tests."""

    algorithm = "rsa-sha256"

    def __init__(self, bits: int = 2048) -> None:
        pem = _openssl("genrsa", "-traditional", str(bits))
        self.private = parse_pem_private_key(pem)
        self.p = base64.b64encode(_openssl("rsa", "-pubout", "-outform", "DER", stdin=pem)).decode()
        self.record = f"v=DKIM1; k=rsa; p={self.p}"


class Ed25519Key:
    """An Ed25519 key; signing is openssl's, so that no further library is needed."""

    algorithm = "ed25519-sha256"

    def __init__(self) -> None:
        self._pem = _openssl("genpkey", "-algorithm", "ed25519")
        raw = _openssl("pkey", "-pubout", "-outform", "DER", stdin=self._pem)[-32:]
        self.record = f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}"
        self.private = self

    def sign(self, digest: bytes) -> SimpleNamespace:
        with tempfile.TemporaryDirectory() as folder:
            key, said = Path(folder, "key"), Path(folder, "said")
            key.write_bytes(self._pem)
            said.write_bytes(digest)
            signature = _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(said))
        return SimpleNamespace(signature=signature)


@functools.cache
def rsa_key(bits: int = 2048) -> RsaKey:
    """Return one key for all tests of this process: making one takes a while."""
    return RsaKey(bits)


@functools.cache
def ed25519_key() -> Ed25519Key:
    """Return one key for all tests of this process."""
    return Ed25519Key()


def signed(
    raw: bytes,
    key: RsaKey | Ed25519Key,
    domain: str,
    *,
    selector: str = "s1",
    headers: tuple[str, ...] | None = None,
    canon: str = "relaxed/relaxed",
    **tags: str | None,
) -> bytes:
    """Return a mail with one more signature on top.

    headers   what is signed; as programs do it, those of SIGNED that the mail has.
    tags      further tags of the field, or others in place of its own ones; None leaves one out.
    """
    raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    signer = DKIM(raw)
    present = {name.decode().lower() for name, _ in signer.headers}
    headers = tuple(name for name in SIGNED if name in present) if headers is None else headers
    signer.signature_algorithm = key.algorithm.encode()
    signer.hasher = HASH_ALGORITHMS[(tags.get("a") or key.algorithm).encode()]
    if tags.get("a"):
        signer.signature_algorithm = str(tags["a"]).encode()
    policy = CanonicalizationPolicy.from_c_value(canon.encode())
    body = policy.canonicalize_body(signer.body)
    if tags.get("l"):
        body = body[: int(str(tags["l"]))]
    fields: dict[str, str | None] = {
        "v": "1", "a": key.algorithm, "c": canon, "d": domain, "s": selector,
        "t": str(int(SIGNED_AT.timestamp())), "h": " : ".join(headers),
        "bh": base64.b64encode(signer.hasher(body).digest()).decode(),
        **tags, "b": "0" * 60,
    }  # fmt: skip
    pairs = [(name.encode(), value.encode()) for name, value in fields.items() if value is not None]
    value = signer.gen_header(
        pairs, [name.lower().encode() for name in headers], policy, b"DKIM-Signature", key.private
    )
    return b"DKIM-Signature: " + bytes(value) + raw


def name_of(domain: str, selector: str = "s1") -> str:
    """Return the name in DNS at which a key stands."""
    return f"{selector}._domainkey.{domain}"


def body_digest(body: bytes, canon: str) -> bytes:
    """Return what dkimpy makes of a body: the reference for ours."""
    policy = CanonicalizationPolicy.from_c_value(f"simple/{canon}".encode())
    return hashlib.sha256(policy.canonicalize_body(body)).digest()
