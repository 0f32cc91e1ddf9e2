"""One function of the training texts: its signature, what its docstring says, and its body."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """A call, and what it must return."""

    arguments: tuple[Any, ...]
    result: Any


@dataclass(frozen=True, slots=True)
class Function:
    """A function with checks that its own body passes."""

    name: str
    parameters: tuple[str, ...]
    docstring: str
    #: indented, with a newline at its end
    body: str
    checks: tuple[Check, ...]

    @property
    def prompt(self) -> str:
        """What the model is given, as HumanEval writes it."""
        return f'def {self.name}({", ".join(self.parameters)}):\n    """{self.docstring}"""\n'

    @property
    def failure(self) -> str | None:
        """What the body gets wrong; None when every check passes."""
        names: dict[str, Any] = {}
        exec(self.prompt + self.body, names)
        for check in self.checks:
            found = names[self.name](*copy.deepcopy(check.arguments))
            if found != check.result:
                return f"{self.prompt}{self.body}{check} gave {found!r}"
        return None


def with_capital(text: str) -> str:
    """The same sentence, begun with a capital letter."""
    return text[:1].upper() + text[1:]
