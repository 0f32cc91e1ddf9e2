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


class ChannelClosed(BaseException):
    """The other end is gone. A BaseException, so that a test's `except Exception` lets it by."""


class FrameTooLarge(BaseException):
    """The other end sent more than `MAX_FRAME_BYTES`."""


class FrameLate(BaseException):
    """The other end stopped in the middle of a frame."""


def send_frame(descriptor: int, body: bytes) -> None:
    """Write one frame; raises ChannelClosed when nobody reads any more."""
    frame = memoryview(_LENGTH.pack(len(body)) + body)
    try:
        while frame:
            frame = frame[os.write(descriptor, frame) :]
    except OSError as error:
        raise ChannelClosed from error


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
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        raise FrameLate
