"""Fingerprint: one digest over everything known about a model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec


def digest_of(facts: Mapping[str, object]) -> str:
    """SHA-256 of the facts as canonical JSON; facts that are None are not known."""
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return sha256(msgspec.json.encode(known, order="deterministic"))


def sha256(data: bytes | str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()
