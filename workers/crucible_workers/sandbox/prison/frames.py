"""Frames over a socket: a length, a body, and file descriptors beside it."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!I")

#: larger frames from a candidate are refused, so that it cannot fill its driver's memory
MAX_FRAME_BYTES = 64 << 20
_MAX_DESCRIPTORS = 4
_CHUNK_BYTES = 1 << 16


# without the checks that `json.dumps` makes for every call
_ENCODE = json.JSONEncoder(check_circular=False).encode


class ChannelClosed(BaseException):
    """The other end is gone. A BaseException, so that a test's `except Exception` lets it by."""


class FrameTooLarge(BaseException):
    """The other end sent more than `MAX_FRAME_BYTES`."""


class FrameLate(BaseException):
    """The other end stopped in the middle of a frame."""


def send_frame(descriptor: int, body: bytes) -> None:
    """Write one frame; raises ChannelClosed when nobody reads any more."""
    send_packed(descriptor, packed(body))


def receive_frame(descriptor: int, deadline: float | None = None) -> bytes:
    """Read one frame.

    Args:
        descriptor: where from.
        deadline: on the monotonic clock; None waits for ever.

    Raises:
        ChannelClosed: at the end.
        FrameTooLarge: beyond the bound.
        FrameLate: at the deadline.
    """
    (length,) = _LENGTH.unpack(_read_exactly(descriptor, _LENGTH.size, deadline))
    if length > MAX_FRAME_BYTES:
        raise FrameTooLarge
    return _read_exactly(descriptor, length, deadline)


class FrameReader:
    """Reads frames through a buffer: many small ones cost one system call."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._position = 0

    def receive(self) -> bytes:
        """The next frame. Raises ChannelClosed at the end and FrameTooLarge beyond the bound."""
        (length,) = _LENGTH.unpack(self._take(_LENGTH.size))
        if length > MAX_FRAME_BYTES:
            raise FrameTooLarge
        return self._take(length)

    def _take(self, size: int) -> bytes:
        if len(self._buffer) - self._position < size:
            self._fill(size)
        end = self._position + size
        taken = bytes(self._buffer[self._position : end])
        self._position = end
        return taken

    def _fill(self, size: int) -> None:
        del self._buffer[: self._position]
        self._position = 0
        while len(self._buffer) < size:
            missing = size - len(self._buffer)
            try:
                chunk = os.read(self._descriptor, min(max(missing, _CHUNK_BYTES), 1 << 20))
            except OSError as error:
                raise ChannelClosed from error
            if not chunk:
                raise ChannelClosed
            self._buffer += chunk


def to_json(message: Any) -> bytes:
    """A message of a candidate, for who trusts it with nothing: data and no code reads it."""
    return _ENCODE(message).encode()


def packed(body: bytes) -> bytes:
    """A frame's bytes, for who sends several at once."""
    return _LENGTH.pack(len(body)) + body


def send_packed(descriptor: int, frames: bytes) -> None:
    """Write frames that `packed` made; raises ChannelClosed when nobody reads any more."""
    rest = memoryview(frames)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        raise ChannelClosed from error


def send_message(sock: socket.socket, message: Any, descriptors: Sequence[int] = ()) -> None:
    """Send one JSON message with file descriptors beside it. Only between trusted ends."""
    body = json.dumps(message).encode()
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    try:
        sock.sendmsg([_LENGTH.pack(len(body))], ancillary if descriptors else [])
        sock.sendall(body)
    except OSError as error:
        raise ChannelClosed from error


def receive_message(sock: socket.socket) -> tuple[Any, list[int]]:
    """Receive one JSON message and the descriptors beside it; raises ChannelClosed at the end."""
    try:
        head, descriptors, _, _ = socket.recv_fds(sock, _LENGTH.size, _MAX_DESCRIPTORS)
    except OSError as error:
        raise ChannelClosed from error
    while 0 < len(head) < _LENGTH.size:
        head += _read_exactly(sock.fileno(), _LENGTH.size - len(head))
    if not head:
        raise ChannelClosed
    body = _read_exactly(sock.fileno(), _LENGTH.unpack(head)[0])
    return json.loads(body), descriptors


def _read_exactly(descriptor: int, size: int, deadline: float | None = None) -> bytes:
    try:
        _wait_until(descriptor, deadline)
        chunk = os.read(descriptor, size)
        if len(chunk) == size:
            return chunk
        chunks = [chunk]
        missing = size - len(chunk)
        while missing and chunk:
            _wait_until(descriptor, deadline)
            chunk = os.read(descriptor, min(missing, 1 << 20))
            chunks.append(chunk)
            missing -= len(chunk)
    except OSError as error:
        raise ChannelClosed from error
    if missing:
        raise ChannelClosed
    return b"".join(chunks)


def _wait_until(descriptor: int, deadline: float | None) -> None:
    if deadline is None:
        return
    if not is_readable(descriptor, deadline - time.monotonic()):
        raise FrameLate


def is_readable(channel: int | socket.socket, seconds: float) -> bool:
    """Whether there is something to read, or the end, within that time."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(max(seconds, 0) * 1000))
