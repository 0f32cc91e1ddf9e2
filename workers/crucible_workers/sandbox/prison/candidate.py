"""The untrusted side: load one program, then answer its driver's requests with values.

Nothing here can decide a verdict. Whatever the program does to this module, to builtins or to the
channel, the driver reads data and makes up its own mind.
"""

from __future__ import annotations

import builtins
import marshal
import operator
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from .frames import FrameReader, send_frame, to_json
from .requests import AHEAD, GO, MARSHAL_VERSION, OVER, TELL, digest_of
from .values import Decoder, Encoder, ValueRefused

MODULE_NAME = "solution"
_WORDS = frozenset({GO, TELL, OVER})
#: an exception's text is for people
_TEXT_LIMIT = 500


class DriverHandle:
    """A function or iterator of the test, usable from the program."""

    def __init__(self, candidate: Candidate, handle: list[Any]) -> None:
        self._candidate = candidate
        self.handle = handle

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it in the driver."""
        return self._candidate.ask_driver("call", self.handle[0], args, kwargs)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._candidate.ask_driver("next", self.handle[0], (), {})


class Candidate:
    """One program and the objects of it that the driver holds."""

    def __init__(self, channel: int, reader: FrameReader, trusted_classes: frozenset[str]) -> None:
        self._channel = channel
        self._reader = reader
        #: questions that were asked ahead, behind one that ended in an exception
        self._waiting: deque[bytes] = deque()
        self._trusted_classes = trusted_classes
        self._exported: list[Any] = []
        self._numbers: dict[int, int] = {}
        self.module = types.ModuleType(MODULE_NAME)
        sys.modules[MODULE_NAME] = self.module

    def export(self, value: object) -> dict[str, Any]:
        """Number an object so that the driver can name it; implements Peer."""
        if isinstance(value, DriverHandle):
            return {"driver": value.handle}
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._exported)
            self._exported.append(value)
        return {"handle": [number, _kind_of(value)]}

    def resolve(self, tag: str, body: Any) -> object:
        """Our own object back, or a stand-in for one of the test's; implements Peer."""
        if tag == "yours":
            return self._exported[body]
        if tag == "driver":
            return DriverHandle(self, body)
        raise ValueRefused(tag)

    def class_name(self, kind: type) -> str | None:
        """A class that the prompt defines and this program defines too; implements Peer."""
        name = kind.__name__
        is_shared = name in self._trusted_classes and vars(self.module).get(name) is kind
        return name if is_shared else None

    def known_class(self, name: str) -> type:
        """This program's class of that name; implements Peer."""
        kind = vars(self.module).get(name)
        if not isinstance(kind, type):
            raise ValueRefused(name)
        return kind

    def load(self, code: types.CodeType) -> bool:
        """Run the program's top level; tell the driver, and say whether it can be called."""
        try:
            exec(code, vars(self.module))
        except Exception as error:
            self._send(["raise", self._exception(error), []])
        except BaseException as error:
            self._send(["exit", describe(error)])
        else:
            return True
        return False

    def refuse(self, error: Exception) -> None:
        """Tell the driver why the source does not compile."""
        self._send(["syntax", describe(error)])

    def announce(self, names: list[str]) -> None:
        """Tell the driver the values of the names its tests need."""
        encoder = Encoder(self)
        known = {
            name: encoder.encode(vars(self.module)[name])
            for name in names
            if name in vars(self.module)
        }
        self._send(["ready", known])

    def run_beside(self, tests: str, nonce: str) -> None:
        """Run the tests in this very process, for tests that cannot be driven from outside."""
        try:
            exec(compile(tests, "<tests>", "exec", dont_inherit=True), vars(self.module))
        except AssertionError as error:
            self._send(["failed", describe(error)])
        except Exception as error:
            self._send(["raise", self._exception(error), []])
        except BaseException as error:
            self._send(["exit", describe(error)])
        else:
            self._send(["finished", nonce])

    def serve(self) -> None:
        """Answer requests until the driver has seen enough. Raises ChannelClosed at the end."""
        while (frame := self._next_frame()) != OVER:
            if not self._answer(frame.removeprefix(AHEAD)) and frame.startswith(AHEAD):
                # an exception may end the test
                self._hold()

    def _next_frame(self) -> bytes:
        return self._waiting.popleft() if self._waiting else self._reader.receive()

    def _hold(self) -> bytes:
        """Wait for the driver's word before going on with what was asked ahead; returns it."""
        while (frame := self._reader.receive()) not in _WORDS:
            self._waiting.append(frame)
        if frame == OVER:
            self._waiting = deque([OVER])
        return frame

    def skip(self) -> None:
        """Wait until the driver has seen that there is nothing to ask."""
        while self._reader.receive() != OVER:
            continue

    def forget(self) -> None:
        """Drop the program, as far as nobody else holds it."""
        self._exported.clear()
        vars(self.module).clear()

    def ask_driver(self, verb: str, handle: int, args: Any, kwargs: dict[str, Any]) -> Any:
        """Call back into the test while it waits for us."""
        encoder = Encoder(self)
        pairs = [[name, encoder.encode(value)] for name, value in kwargs.items()]
        self._send(["callback", verb, handle, encoder.encode_all(args), pairs])
        while True:
            frame = self._reader.receive()
            if frame == OVER:
                # in the middle of the program, which is not asked whether it likes that
                os._exit(0)
            message = marshal.loads(frame)
            if message[0] == "answer":
                break
            self._answer(frame)
        _, is_error, body = message
        if not is_error:
            return Decoder(self, encoder.table).decode(body)
        name, text = body
        kind = getattr(builtins, name, Exception)
        raise kind(text)

    def _answer(self, frame: bytes) -> bool:
        """Do what a request asks and reply; whether it went without an exception."""
        verb, handle, rest, raw = marshal.loads(frame)
        decoder = Decoder(self)
        positional, pairs = marshal.loads(raw)
        args = [decoder.decode(item) for item in positional]
        kwargs = {name: decoder.decode(item) for name, item in pairs}
        # who only tries a call has no use for its arguments afterwards
        containers = [] if verb == "try" else list(decoder.table)
        try:
            result = _VERBS[verb](self._exported[handle], *rest, *args, **kwargs)
            outcome = "return"
        except Exception as error:
            result, outcome = error, "raise"
        except BaseException as error:
            self._send(["exit", describe(error)])
            return False
        if verb == "try" and outcome == "return":
            return self._reply_briefly(result)
        return self._reply(outcome, result, containers, (raw, args, kwargs)) == "return"

    def _reply_briefly(self, result: Any) -> bool:
        """Name a long result by its digest, and tell it only to who wants it."""
        try:
            body = Encoder(self).encode(result)
            digest = digest_of(body)
            frame = to_json(["return", body, []] if digest is None else ["digest", digest])
        except Exception:
            # which meets it again, and tells the driver
            return self._reply("return", result, [], ()) == "return"
        send_frame(self._channel, frame)
        if digest is None or self._hold() != TELL:
            return True
        return self._reply("return", result, [], ()) == "return"

    def _reply(
        self, outcome: str, result: Any, containers: list[Any], call: tuple[Any, ...]
    ) -> str:
        """Send what came of a request, and say which it was in the end."""
        encoder = Encoder(self, list(containers))
        try:
            body = encoder.encode(result) if outcome == "return" else self._exception(result)
            updates = self._changes(encoder, containers, *call) if containers else []
            frame = to_json([outcome, body, updates])
        except Exception as error:
            outcome = "raise"
            frame = to_json([outcome, self._exception(error), []])
        send_frame(self._channel, frame)
        return outcome

    def _changes(
        self, encoder: Encoder, containers: list[Any], raw: bytes, args: Any, kwargs: Any
    ) -> list[Any]:
        """What the call did to its arguments, in place; nothing if they read as they came."""
        again = Encoder(self)
        now = [again.encode_all(args), [[name, again.encode(kwargs[name])] for name in kwargs]]
        if marshal.dumps(now, MARSHAL_VERSION) == raw:
            return []
        return [[number, encoder.content(value)] for number, value in enumerate(containers)]

    def _exception(self, error: BaseException) -> list[Any]:
        """Name, builtin ancestry, text and plain arguments of an exception."""
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        try:
            args = Encoder(self).encode_all(error.args)
            to_json(args)
        except Exception:
            args = []
        return [type(error).__name__, kinds, describe(error), args]

    def _send(self, message: Any) -> None:
        send_frame(self._channel, to_json(message))


def _kind_of(value: Any) -> str:
    if isinstance(value, (types.FunctionType, type)):
        return "callable"
    if isinstance(value, types.GeneratorType):
        return "generator"
    if hasattr(type(value), "__await__"):
        return "awaitable"
    if hasattr(type(value), "__next__"):
        return "iterator"
    return "callable" if callable(value) else "object"


def describe(error: BaseException) -> str:
    """An exception's class and text, for people."""
    try:
        text = str(error)
    except BaseException:
        text = ""
    name = type(error).__name__
    return f"{name}: {text}"[:_TEXT_LIMIT] if text else name


def _await(value: Any) -> Any:
    # most programs never wait, and every fork would carry it
    import asyncio

    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


#: what a driver may ask of an object of the program
_VERBS: dict[str, Callable[..., Any]] = {
    "call": lambda function, *args, **kwargs: function(*args, **kwargs),
    "try": lambda function, *args: function(*args),
    "get": getattr,
    "set": setattr,
    "next": next,
    "iter": iter,
    "len": len,
    "item": lambda value, key: value[key],
    "set_item": lambda value, key, item: value.__setitem__(key, item),
    "text": str,
    "repr": repr,
    "operate": lambda value, name, other: getattr(operator, name)(value, other),
    "equal": lambda value, other: bool(value == other),
    "await": _await,
}
