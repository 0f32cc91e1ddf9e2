"""The trusted side of a repository's challenge: its own tests, with a stand-in for one function.

The repository and its tests live in this process. The function's code is exchanged, not the
function, so everybody who holds it, by whatever import, calls the program in its place.
"""

from __future__ import annotations

import inspect
import types
import warnings
from typing import TYPE_CHECKING, Any

from .driver import Tests, TestsFailed, UnusableTests
from .foresight import Foresight
from .frames import ChannelClosed, FrameTooLarge
from .namings import Namings
from .remote import BadProtocol, CandidateGone, Channel, RemoteError
from .requests import order_of
from .values import ValueRefused

if TYPE_CHECKING:
    from .suite import Suite

#: what says more of the program than that a test failed
_OF_THE_PROGRAM = (RemoteError, MemoryError, CandidateGone, BadProtocol, FrameTooLarge)
_STAND_IN = "__crucible_stand_in__"


class RepositoryTests(Tests):
    """Tests of a collected suite that call one function."""

    def __init__(self, suite: Suite, body: dict[str, Any]) -> None:
        self._suite = suite
        self._body = body
        self._items = [suite.item(name) for name in body["tests"]]
        self._shipped = suite.shipped_with_hole(body)
        self._namings = Namings(self._shipped, knows_standard=False)
        self._namespace: dict[str, Any] = {}
        self._ahead = []
        self._surprises = 0
        self.names = [body["name"]]
        self.classes = {}
        self.is_shared = False
        # whatever a repository's tests leave behind
        self.keeps_state = True
        self._run = self._run_items
        self._program = _Forward()
        function, self._binding = suite.function(body)
        _replace(function, self._program)

    def order(self, source: str) -> bytes:
        """What a child is told about its program."""
        return order_of(
            "repository",
            source,
            names=self.names,
            module=self._body["module"],
            binding=self._binding,
            modules=self._shipped,
            roots=self._suite.roots,
        )

    def _channel(self, descriptor: int, foresight: Foresight) -> Channel:
        return _RepositoryChannel(descriptor, self._namings, foresight)

    def _run_items(self, namespace: dict[str, Any]) -> None:
        """Run one test after the other. Raises what makes the first one fail."""
        program = namespace.get(self.names[0])
        if not callable(program):
            raise TestsFailed(f"the program defines no function {self.names[0]}")
        self._program.target = program
        channel = vars(program)["_channel"]
        for item, following in zip(self._items, [*self._items[1:], None], strict=True):
            problem = self._suite.problem_of(item, following)
            if channel.is_lost:
                # a test may have caught it
                raise ChannelClosed
            if isinstance(problem, _OF_THE_PROGRAM):
                raise problem
            if problem is not None:
                raise TestsFailed(self._suite.explanation(item, problem))


class _Forward:
    """Calls the program of the day."""

    target: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.target(*args, **kwargs)


class _RepositoryChannel(Channel):
    """Knows the repository's classes and functions by name."""

    def __init__(self, descriptor: int, namings: Namings, foresight: Foresight) -> None:
        super().__init__(descriptor, {}, foresight)
        self._namings = namings
        #: whether the program was gone once, whoever noticed
        self.is_lost = False

    def ask(
        self,
        verb: str,
        number: int,
        *details: str,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Ask as any channel does, and remember an end."""
        try:
            return super().ask(verb, number, *details, args=args, kwargs=kwargs)
        except ChannelClosed:
            self.is_lost = True
            raise

    def export(self, value: object) -> dict[str, Any]:
        """Name what both sides have; implements Peer."""
        named = self._namings.export(value, is_standard_named=True)
        return named or super().export(value)

    def resolve(self, tag: str, body: Any) -> object:
        """Ours of that name, or a stand-in; implements Peer."""
        if tag in ("global", "member"):
            return self._namings.resolve(tag, body)
        return super().resolve(tag, body)

    def class_name(self, kind: type) -> str | None:
        """A class of the repository; implements Peer."""
        return self._namings.class_name(kind)

    def known_class(self, name: str) -> type:
        """The repository's class, never the candidate's; implements Peer."""
        return self._namings.known_class(name)

    def exception(self, name: str, kinds: list[Any], text: str, args: list[Any]) -> Exception:
        """As the repository's own class where it is one, so that tests can catch it."""
        if ":" not in name:
            return super().exception(name, kinds, text, args)
        try:
            own = self._namings.find(name)
        except ValueRefused:
            own = None
        if isinstance(own, type) and issubclass(own, Exception):
            self._classes = {own.__name__: own}
        return super().exception(name.rpartition(":")[2].rpartition(".")[2], kinds, text, args)


def _replace(function: types.FunctionType, forward: _Forward) -> None:
    """Have a function call something else, for everybody who holds it."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise UnusableTests(f"{function.__name__} has no signature") from error
    code = _stand_in_code(len(function.__code__.co_freevars))
    function.__code__ = code.replace(co_name=function.__name__)
    # who asks for the signature, as `curry` does, still finds it; missing arguments stay missing
    function.__signature__ = signature  # type: ignore[attr-defined]
    function.__defaults__ = function.__kwdefaults__ = None
    function.__globals__[_STAND_IN] = forward


def _stand_in_code(captured: int) -> types.CodeType:
    """Code that forwards a call; as many captured names as the original had are a must."""
    names = ", ".join(f"captured_{number}" for number in range(captured))
    source = (
        f"def make({names}):\n"
        "    def stand_in(*args, **kwargs):\n"
        f"        return {_STAND_IN}(*args, **kwargs)\n"
        f"        {names}\n"
        "    return stand_in\n"
    )
    namespace: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, "<stand-in>", "exec"), namespace)
    made: types.FunctionType = namespace["make"](*[None] * captured)
    return made.__code__
