"""Typed values over JSON: what crosses between a candidate and its driver.

Scalars and lists are plain JSON; everything else is an object with one key that names its type.
Exact types survive (tuple and list, int and bool, -0.0, NaN without its sign, integers of any
size, lone surrogates); a subclass arrives as its plain base, so its overridden methods stay
behind. What is not data arrives as a handle, and only the `Peer` decides what a handle may do.

Mutable containers are numbered in the order both sides meet them, within one call and its answer.
The numbers carry identity (`{"same": 3}`), shared and cyclic structure, and the way back of
changes made in place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from .encodings import (
    DECODERS,
    ENCODERS,
    FLATTENED,
    PLAIN,
    PLAIN_BASES,
    ValueRefused,
    drop_state,
    encode_numpy,
    encode_plain,
    restore_state,
    state_of,
)
from .mixtures import base_of, items_of, refill

__all__ = ["Decoder", "Encoder", "Peer", "ValueRefused"]


class Peer(Protocol):
    """One end of a channel: knows its own objects that crossed as handles, and the other's."""

    def export(self, value: object) -> dict[str, Any]:
        """Turn an object that is not data into a handle."""

    def resolve(self, tag: str, body: Any) -> object:
        """Turn a handle into what stands for it here. Raises ValueRefused."""

    def class_name(self, kind: type) -> str | None:
        """Name of a class both sides know, or None."""

    def known_class(self, name: str) -> type:
        """Our class of that name. Raises ValueRefused."""


class Encoder:
    """Values to JSON; numbers the mutable containers it meets."""

    def __init__(self, peer: Peer, table: list[Any] | None = None) -> None:
        self.peer = peer
        self.table: list[Any] = table if table is not None else []
        self._index = {id(value): number for number, value in enumerate(self.table)}

    def encode(self, value: Any) -> Any:
        """The JSON form of any value."""
        kind = type(value)
        if kind in PLAIN:
            return encode_plain(value, kind)
        encoder = ENCODERS.get(kind)
        if encoder is not None:
            return encoder(self, value)
        return self._encode_other(value, kind)

    def encode_all(self, values: Iterable[Any]) -> list[Any]:
        """The JSON forms of several values."""
        return [self.encode(value) for value in values]

    def number(self, value: Any) -> dict[str, int] | None:
        """A reference if this container was met before; else remember it."""
        known = self._index.get(id(value))
        if known is not None:
            return {"same": known}
        self._index[id(value)] = len(self.table)
        self.table.append(value)
        return None

    def content(self, value: Any) -> Any:
        """What a numbered container holds now, nested containers as references."""
        if _is_mixture(self.peer, value):
            return [self.encode_state(value), self.encode_all(items_of(value))]
        if isinstance(value, dict):
            return [[self.encode(key), self.encode(item)] for key, item in dict.items(value)]
        if isinstance(value, bytearray):
            return bytes(value).decode("latin-1")
        if isinstance(value, (list, set, deque)):
            return self.encode_all(value)
        return self.encode_state(value)

    def encode_state(self, value: Any) -> list[Any]:
        """The attributes of an instance as pairs."""
        return [[name, self.encode(item)] for name, item in state_of(value).items()]

    def _encode_other(self, value: Any, kind: type) -> Any:
        name = self.peer.class_name(kind)
        if name is not None and isinstance(value, tuple):
            return {"named": [name, self.encode_all(tuple.__iter__(value))]}
        if name is not None and base_of(kind) is not None:
            return self.number(value) or {"mixture": [name, self.content(value)]}
        if name is not None and not isinstance(value, PLAIN_BASES):
            return self.number(value) or {"object": [name, self.encode_state(value)]}
        # before the plain bases: numpy.float64 is a float, but no tolerance takes it for one
        encoded = encode_numpy(value) if kind.__module__ == "numpy" else None
        if encoded is not None:
            return encoded
        for base, encoder in FLATTENED:
            if isinstance(value, base):
                return encoder(self, value)
        return self.peer.export(value)


class Decoder:
    """JSON to values; numbers the mutable containers it builds in the encoder's order."""

    def __init__(self, peer: Peer, table: list[Any] | None = None) -> None:
        self.peer = peer
        self.table: list[Any] = table if table is not None else []

    def decode(self, body: Any) -> Any:
        """The value of a JSON form. Raises ValueRefused."""
        kind = type(body)
        if kind in PLAIN:
            return body
        if kind is list:
            return self._decode_list(body)
        if len(body) != 1:
            raise ValueRefused("a tagged value has one tag")
        ((tag, inner),) = body.items()
        decoder = DECODERS.get(tag)
        try:
            if decoder is not None:
                return decoder(self, inner)
            return self.peer.resolve(tag, inner)
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            raise ValueRefused(f"bad {tag}: {error}") from error

    def update(self, value: Any, content: Any) -> None:
        """Give a numbered container the content it has on the other side."""
        if _is_mixture(self.peer, value):
            self._restore(value, content[0])
            refill(value, [self.decode(item) for item in content[1]])
            return
        if isinstance(value, dict):
            pairs = [(self.decode(key), self.decode(item)) for key, item in content]
            value.clear()
            value.update(pairs)
        elif isinstance(value, bytearray):
            value[:] = content.encode("latin-1")
        elif isinstance(value, list):
            value[:] = [self.decode(item) for item in content]
        elif isinstance(value, (set, deque)):
            items = [self.decode(item) for item in content]
            value.clear()
            value.update(items) if isinstance(value, set) else value.extend(items)
        else:
            self._restore(value, content)

    def _restore(self, value: Any, content: Any) -> None:
        pairs = [(name, self.decode(item)) for name, item in content]
        drop_state(value, {name for name, _ in pairs})
        restore_state(value, pairs)

    def _decode_list(self, body: list[Any]) -> list[Any]:
        self.table.append(body)
        if not set(map(type, body)) <= PLAIN:
            for position, item in enumerate(body):
                if type(item) not in PLAIN:
                    body[position] = self.decode(item)
        return body

    def build(self, value: Any, content: Any) -> Any:
        """Number a container before its content is decoded, as the encoder did."""
        self.table.append(value)
        self.update(value, content)
        return value


def _is_mixture(peer: Peer, value: Any) -> bool:
    """Whether an instance of a class that both sides know is a list, dictionary or set, too."""
    kind = type(value)
    return base_of(kind) is not None and peer.class_name(kind) is not None
