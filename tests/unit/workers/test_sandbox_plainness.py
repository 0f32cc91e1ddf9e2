from __future__ import annotations

import importlib
import types
from typing import Any

import pytest

from crucible_workers.sandbox.prison.plainness import ATTRIBUTES, BUILTINS, MODULES, is_plain

MANY_NAMES = "\n".join(f"name_{number} = {number}" for number in range(400))
PLAIN = [
    "def f(x):\n    return x + 1",
    """
from typing import List, Optional
import math
def f(x: List[int] = []) -> Optional[float]:
    x.append(1)
    return math.sqrt(sum(x))
""",
    "import collections\ndef f(s):\n    return collections.Counter(s).most_common(1)",
    "from itertools import chain",
    "def f(n):\n    for i in range(n):\n        yield from (j for j in range(i) if j % 2)",
    """
def f(x):
    try:
        return int(x)
    except (ValueError, TypeError) as error:
        raise KeyError(str(error)) from error
    finally:
        print('done', x)
""",
    "count = 0\ndef f():\n    global count\n    count += 1\n    return count",
    """
def f(x):
    match x:
        case [first, *rest]:
            return first, rest
        case {"k": value}:
            return value
""",
    "def f(a, *b, c=1, **d):\n    g = lambda y: (y, c)\n    return f'{a!r:>{c}}', b[::2], d, g",
    """
from functools import lru_cache
@lru_cache(maxsize=None)
def f(n):
    return n and f(n - 1)
""",
    "import sys\nLEAST = -sys.maxsize\nif __name__ == '__main__':\n    print(LEAST)",
    MANY_NAMES + "\nname_399 + name_1",
]
NOT_PLAIN = [
    "import os",
    "import collections.abc",
    "from os import path",
    "from math import *",
    "from typing import sys",
    "import typing\ntyping.sys.modules",
    "import sys\nsys.modules",
    "import sys\nsys.setrecursionlimit(10)",
    "import random\nrandom.seed(1)",
    "class A:\n    pass",
    "async def f():\n    pass",
    "def f(x):\n    x.y = 1",
    "def f(x):\n    x.y += 1",
    "def f(x):\n    del x.y",
    "def f(x):\n    for x.y in []:\n        pass",
    "def f(x):\n    with x as y:\n        pass",
    "def f(x):\n    match x:\n        case int(real=1):\n            pass",
    "def f(x):\n    return x.__class__",
    "def f():\n    yield\nf().gi_frame",
    # an own name is no excuse for an attribute
    "def gi_frame():\n    yield\ngi_frame().gi_frame",
    "eval('1')",
    "getattr(1, 'real')",
    "setattr(1, 'real', 2)",
    "open('/tmp/x', 'w')",
    "__builtins__",
    "__loader__",
    "globals()",
    "vars()",
    "unknown",
    # until the assignment has run, it is the builtin
    "def f(x):\n    return exec(x)\nif f:\n    exec = print",
    "__builtins__ = {}",
    "def f():\n    global __builtins__\n    __builtins__ = {}",
    "lambda: [(lambda: (yield).gi_frame) for _ in ()]",
    MANY_NAMES + "\nname_1.gi_frame",
    MANY_NAMES + "\nunknown",
]


def compiled(source: str) -> types.CodeType:
    return compile(source, "<solution>", "exec", dont_inherit=True)


@pytest.mark.parametrize("source", PLAIN)
def test_computing_with_data_is_plain(source: str) -> None:
    assert is_plain(compiled(source))


@pytest.mark.parametrize("source", NOT_PLAIN)
def test_reaching_for_what_others_use_is_not(source: str) -> None:
    assert not is_plain(compiled(source))


def reachable() -> dict[str, Any]:
    """Everything a plain program can name, by the way that leads to it."""
    found: dict[str, Any] = {name: importlib.import_module(name) for name in MODULES}
    found |= {name: vars(importlib.import_module("builtins"))[name] for name in BUILTINS}
    seen = set(map(id, found.values()))
    queue = list(found)
    for way in queue:
        for name in ATTRIBUTES:
            value = getattr(found[way], name, None)
            if id(value) in seen or isinstance(value, (int, float, str, types.NoneType)):
                continue
            seen.add(id(value))
            found[f"{way}.{name}"] = value
            queue.append(f"{way}.{name}")
    return found


def test_nothing_a_plain_program_can_name_can_be_changed() -> None:
    changeable = (list, dict, set, bytearray, types.FrameType, types.CodeType)
    for way, value in reachable().items():
        assert not isinstance(value, changeable), way
        assert not isinstance(value, types.ModuleType) or way in MODULES, way


def test_no_listed_name_leads_out() -> None:
    leading = {"modules", "gi_frame", "f_globals", "tb_frame", "format_exc", "register", "setitem"}
    assert not leading & ATTRIBUTES
    assert not {name for name in ATTRIBUTES if name.startswith("_")}
    assert not {"getattr", "setattr", "eval", "exec", "open", "vars", "super", "object"} & BUILTINS
