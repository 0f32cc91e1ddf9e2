"""The trusted side's view of a candidate: its functions and objects as stand-ins.

A stand-in gives values: results of calls, attributes, items, iteration, length. It never lets the
candidate answer a question that decides an assertion: comparing a stand-in with plain data is
false, ordering and arithmetic with plain data are type errors. So an object whose `__eq__` is
always true, or whose `__lt__` is, makes no test pass.
"""

from __future__ import annotations

import builtins
import json
import marshal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, NamedTuple, NoReturn

from .foresight import Foresight
from .frames import ChannelClosed, FrameReader, FrameTooLarge, send_frame
from .requests import DECLINED, OVER, PLAIN, TELL, WHOLE, request_of
from .values import Decoder, Encoder, ValueRefused

_DECODE = json.JSONDecoder().decode
#: how an answer begins that only names its value
_DIGEST = b'["digest"'

#: dunder attributes that are plain description
_DESCRIPTIONS = frozenset({"__name__", "__qualname__", "__doc__", "__dict__"})

#: what two objects of the program may do with each other
_OPERATORS = (
    "__add__ __sub__ __mul__ __matmul__ __truediv__ __floordiv__ __mod__ __pow__ "
    "__and__ __or__ __xor__ __lt__ __le__ __gt__ __ge__"
).split()


class CandidateGone(BaseException):
    """The program ended itself; no `except Exception` of a test may hide it."""


class BadProtocol(BaseException):
    """The program wrote to its channel what our code never writes."""


class RemoteError(Exception):
    """Mixed into every exception that was raised in the candidate."""


class Remains(NamedTuple):
    """What is known of a child that may run another program."""

    #: CPU seconds that this program took
    cpu_seconds: float
    #: whether the next program would miss what this one used
    is_worn: bool


class Remote:
    """An object that lives in the candidate."""

    def __init__(self, channel: Channel, number: int) -> None:
        object.__setattr__(self, "_channel", channel)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in _DESCRIPTIONS:
            raise AttributeError(name)
        return self._channel.ask("get", self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._channel.ask("set", self._number, name, args=(value,))

    def __iter__(self) -> Iterator[Any]:
        return iter(self._channel.ask("iter", self._number))

    def __len__(self) -> int:
        length: int = self._channel.ask("len", self._number)
        return length

    def __bool__(self) -> bool:
        # without this, truth would ask `__len__`, which most objects lack
        return True

    def __getitem__(self, key: Any) -> Any:
        return self._channel.ask("item", self._number, args=(key,))

    def __setitem__(self, key: Any, value: Any) -> None:
        self._channel.ask("set_item", self._number, args=(key, value))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Remote):
            return False
        # both are the candidate's own: it could as well have returned two equal numbers
        return self is other or self._channel.ask("equal", self._number, args=(other,)) is True

    __hash__ = object.__hash__

    def __str__(self) -> str:
        text: str = self._channel.ask("text", self._number)
        return text

    def __repr__(self) -> str:
        if self._channel.is_over:
            return "<an object of the program>"
        text: str = self._channel.ask("repr", self._number)
        return text

    def __reduce__(self) -> NoReturn:
        raise TypeError("an object of the program cannot be copied")


def _among_stand_ins(name: str) -> Callable[[Remote, object], Any]:
    def operate(self: Remote, other: object) -> Any:
        # with plain data it would decide `abs(answer - 3) < 1e-6` by itself
        if not isinstance(other, Remote):
            return NotImplemented
        return self._channel.ask("operate", self._number, name, args=(other,))

    return operate


for _operator in _OPERATORS:
    setattr(Remote, _operator, _among_stand_ins(_operator))


class RemoteCallable(Remote):
    """A function, class or callable object of the program."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it in the candidate."""
        return self._channel.ask("call", self._number, args=args, kwargs=kwargs)


class RemoteIterator(Remote):
    """An iterator of the program."""

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._channel.ask("next", self._number)


class Channel:
    """The driver's end of the pipe to one candidate."""

    def __init__(self, descriptor: int, classes: dict[str, type], foresight: Foresight) -> None:
        self._descriptor = descriptor
        self._reader = FrameReader(descriptor)
        self._foresight = foresight
        self._classes = classes
        self._names = {kind: name for name, kind in classes.items()}
        self._remotes: dict[int, Any] = {}
        self._exported: list[Any] = []
        #: why the candidate will not answer again; a pass needs this to be None at the end
        self.end: str | None = None
        #: the last value a call returned, for the explanation of a failure
        self.last_value: Any = None
        self.call_count = 0
        #: set before a failure is explained, which asks the program nothing
        self.is_over = False
        self._is_plain = False

    def begin(self) -> None:
        """Hear whether the child may get another program. Raises ChannelClosed when it declines."""
        word = self._reader.receive()
        if word == DECLINED:
            raise ChannelClosed
        self._is_plain = word == PLAIN

    def release(self) -> Remains | None:
        """Have the child drop a plain program; None when it is not fit for another one."""
        if not self._is_plain:
            return None
        try:
            send_frame(self._descriptor, OVER)
            while (message := self._receive())[0] != WHOLE:
                continue
        except (ChannelClosed, BadProtocol, FrameTooLarge):
            return None
        return Remains(*message[1:])

    def ready(self) -> dict[str, Any] | list[Any]:
        """Wait for the program's top level: the values of the needed names, or how it failed."""
        message: list[Any] = self._receive()
        if message[0] != "ready":
            return message
        decoder = Decoder(self)
        return {name: decoder.decode(value) for name, value in message[1].items()}

    def ask(
        self,
        verb: str,
        number: int,
        *details: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Ask the candidate to do something; returns its value or raises its exception."""
        if self.end is not None:
            raise CandidateGone(self.end)
        encoder = Encoder(self)
        positional = encoder.encode_all(args)
        pairs = [[name, encoder.encode(value)] for name, value in (kwargs or {}).items()]
        self._foresight.ask(self._descriptor, request_of(verb, number, details, positional, pairs))
        self.call_count += 1
        return self._answer(verb, encoder.table)

    def try_call(self, request: bytes) -> bytes:
        """The answer to a request that was encoded beforehand, as it came."""
        if self.end is not None:
            raise CandidateGone(self.end)
        self._foresight.ask(self._descriptor, request)
        self.call_count += 1
        frame = self._reader.receive()
        if frame.startswith(_DIGEST):
            self._foresight.digest()
        return frame

    def decode_answer(self, frame: bytes) -> Any:
        """The value of an answer that `try_call` gave; raises the candidate's exception."""
        return self._answer("try", [], frame)

    def _answer(self, verb: str, table: list[Any], frame: bytes | None = None) -> Any:
        is_told = verb != "try"
        while True:
            message = self._receive() if frame is None else self._parse(frame)
            frame = None
            match message:
                case ["digest", str()] if not is_told:
                    is_told = True
                    self._foresight.told()
                    self._send(TELL)
                case ["callback", str(wish), int(handle), list(args), list(pairs)]:
                    self._foresight.surprise()
                    self._call_back(wish, handle, args, pairs)
                case ["return", value, list(updates)]:
                    self.last_value = result = self._finish(table, value, updates)
                    return result
                case ["raise", [str(name), list(kinds), str(text), list(args)], list(updates)]:
                    self._foresight.exception()
                    self._finish(table, None, updates)
                    if verb != "next" and "StopIteration" in kinds:
                        # as PEP 479 has it: `all(map(…))` would take it for the end and be true
                        name, kinds = "RuntimeError", ["RuntimeError"]
                    raise self.exception(name, kinds, text, args)
                case ["exit", str(text)]:
                    self.end = text
                    raise CandidateGone(text)
                case _:
                    self._refuse("an unknown answer")

    def _finish(self, table: list[Any], value: Any, updates: list[Any]) -> Any:
        containers = len(table)
        decoder = Decoder(self, table)
        try:
            result = decoder.decode(value)
            for number, content in updates:
                # only what went out may be changed, not what has just come in
                decoder.update(table[:containers][number], content)
        except (ValueRefused, TypeError, ValueError, LookupError, RecursionError) as error:
            self._refuse(str(error))
        return result

    def exception(self, name: str, kinds: list[Any], text: str, args: list[Any]) -> Exception:
        """An exception of the candidate, as the same builtin class where it is one."""
        base: Any = next((kind for kind in map(_builtin_exception, kinds) if kind), Exception)
        kind = self._classes.get(name, base)
        if not issubclass(kind, Exception):
            kind = base
        try:
            # Exception itself cannot stand before its own subclass
            bases = (RemoteError,) if kind is Exception else (kind, RemoteError)
            remote: Any = type(name, bases, {"__module__": kind.__module__})
            error: Exception = remote(*[Decoder(self).decode(item) for item in args])
        except Exception:
            error = RemoteError(text)
        error.__dict__["text"] = text
        return error

    def _call_back(self, verb: str, handle: int, args: list[Any], pairs: list[Any]) -> None:
        decoder = Decoder(self)
        try:
            function = self._exported[handle]
            positional = [decoder.decode(item) for item in args]
            kwargs = {str(name): decoder.decode(item) for name, item in pairs}
            value = next(function) if verb == "next" else function(*positional, **kwargs)
            body = Encoder(self, decoder.table).encode(value)
            self._send(marshal.dumps(("answer", False, body)))
        except Exception as error:
            self._send(marshal.dumps(("answer", True, [type(error).__name__, str(error)])))

    def export(self, value: object) -> dict[str, Any]:
        """A handle for one of the test's own objects, or the candidate's own; implements Peer."""
        if isinstance(value, Remote):
            return {"yours": vars(value)["_number"]}
        # a handle is good for one candidate
        self._foresight.surprise()
        self._exported.append(value)
        return {"driver": [len(self._exported) - 1, "callable" if callable(value) else "iterator"]}

    def resolve(self, tag: str, body: Any) -> object:
        """A stand-in for an object of the candidate, or our own back; implements Peer."""
        if tag == "driver":
            return self._exported[body[0]]
        if tag != "handle":
            raise ValueRefused(tag)
        number, kind = body
        if not isinstance(number, int):
            raise ValueRefused("handles are numbers")
        if number not in self._remotes:
            self._remotes[number] = self._stand_in(number, kind)
        return self._remotes[number]

    def _stand_in(self, number: int, kind: str) -> object:
        if kind == "generator":
            return _generate(RemoteIterator(self, number))
        if kind == "awaitable":
            return self._wait_for(number)
        classes = {"callable": RemoteCallable, "iterator": RemoteIterator}
        return classes.get(kind, Remote)(self, number)

    def _wait_for(self, number: int) -> Coroutine[Any, Any, Any]:
        async def wait() -> Any:
            return self.ask("await", number)

        return wait()

    def class_name(self, kind: type) -> str | None:
        """Name of a class that the prompt defines; implements Peer."""
        return self._names.get(kind)

    def known_class(self, name: str) -> type:
        """The prompt's class, never the candidate's; implements Peer."""
        if name not in self._classes:
            raise ValueRefused(name)
        return self._classes[name]

    def _receive(self) -> Any:
        return self._parse(self._reader.receive())

    def _parse(self, frame: bytes) -> Any:
        try:
            message = _DECODE(frame.decode())
        except (ValueError, RecursionError) as error:
            self._refuse(str(error))
        if not (isinstance(message, list) and message):
            self._refuse("not a message")
        return message

    def _send(self, frame: bytes) -> None:
        send_frame(self._descriptor, frame)

    def _refuse(self, reason: str) -> NoReturn:
        self.end = f"wrote to its channel: {reason}"
        raise BadProtocol(self.end)


def _builtin_exception(name: object) -> type[Exception] | None:
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    is_exception = isinstance(kind, type) and issubclass(kind, Exception)
    return kind if is_exception else None


def _generate(remote: RemoteIterator) -> Iterator[Any]:
    # a real generator, because tests ask `inspect.isgenerator`
    yield from remote
