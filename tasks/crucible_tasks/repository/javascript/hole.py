"""A module with a hole: one function's text is exchanged for a call of what fills it.

Everything else of the module stays, so whoever holds the function, in a CommonJS module or an ES
module, calls what fills the hole. Whoever runs the module says what that is, by a function under
one symbol; it is given a way to evaluate text in the module's own scope. The text of the function
is in no file then.
"""

from __future__ import annotations

from crucible_tasks.repository.javascript.functions import Function

HOOK = 'globalThis[Symbol.for("crucible.hole")]'
#: `arguments` hides nothing of the module, as the name of a parameter would
_FILLED = f"{HOOK}(function () {{ return eval(arguments[0]); }}, (name) => import(name))"


def with_hole(text: str, function: Function) -> str:
    """The text of a module without that function; every other line keeps its number."""
    blank = "\n" * text.count("\n", function.start, function.end)
    return f"{text[: function.start]}{_hole(function)}{blank}{text[function.end :]}"


def _hole(function: Function) -> str:
    if not function.is_hoisted:
        return _FILLED + ("" if function.target != "default" else ";")
    name = function.name
    asks = f"__crucible_{name}"
    return (
        f"function {name}() {{ return {asks}().apply(this, arguments); }} "
        f"function {asks}() {{ return {_FILLED}; }} {asks}(); "
        f'Object.defineProperty({name}, "length", {{ value: {function.parameters}, '
        "configurable: true });"
    )
