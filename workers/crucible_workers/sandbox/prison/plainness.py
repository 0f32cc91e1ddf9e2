"""Whether a program is plain: whatever it does, nothing of it outlives its own namespace.

A process that has run only plain programs is as good as new, so it may run the next one; any other
program ends with its process. The gate reads the very bytecode that will run. It lets by what
computes with data and refuses all that could reach an object which the next program meets too: an
attribute that is set, an attribute, builtin or module that is not listed here, a class, a
coroutine, and every instruction that is not listed, as a newer interpreter may have.

What is left to a plain program are its own objects, its arguments, and objects nobody can change.
"""

from __future__ import annotations

import builtins
import collections
import dis
import inspect
import itertools
import math
import types
from collections.abc import Iterable

#: computing, calling, jumping, building and unpacking; the last six lines came after Python 3.11
_OTHER_INSTRUCTIONS = (
    "BINARY_OP BINARY_SUBSCR BUILD_CONST_KEY_MAP BUILD_LIST BUILD_MAP BUILD_SET BUILD_SLICE "
    "BUILD_STRING BUILD_TUPLE CACHE CALL CALL_FUNCTION_EX CHECK_EXC_MATCH COMPARE_OP CONTAINS_OP "
    "COPY COPY_FREE_VARS DELETE_DEREF DELETE_FAST DELETE_SUBSCR DICT_MERGE DICT_UPDATE "
    "EXTENDED_ARG FORMAT_VALUE FOR_ITER GET_ITER GET_LEN GET_YIELD_FROM_ITER IS_OP JUMP_BACKWARD "
    "JUMP_BACKWARD_NO_INTERRUPT JUMP_FORWARD JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP KW_NAMES "
    "LIST_APPEND LIST_EXTEND LIST_TO_TUPLE LOAD_ASSERTION_ERROR LOAD_CLOSURE LOAD_CONST "
    "LOAD_DEREF LOAD_FAST MAKE_CELL MAKE_FUNCTION MAP_ADD MATCH_KEYS MATCH_MAPPING "
    "MATCH_SEQUENCE NOP POP_EXCEPT POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_NONE "
    "POP_JUMP_BACKWARD_IF_NOT_NONE POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_FORWARD_IF_FALSE "
    "POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_FORWARD_IF_TRUE POP_TOP "
    "PRECALL PUSH_EXC_INFO PUSH_NULL RAISE_VARARGS RERAISE RESUME RETURN_GENERATOR RETURN_VALUE "
    "SEND SETUP_ANNOTATIONS SET_ADD SET_UPDATE STORE_DEREF STORE_FAST STORE_SUBSCR SWAP "
    "UNARY_INVERT UNARY_NEGATIVE UNARY_NOT UNARY_POSITIVE UNPACK_EX UNPACK_SEQUENCE YIELD_VALUE "
    "BINARY_SLICE CALL_INTRINSIC_1 CALL_KW CONVERT_VALUE END_FOR END_SEND FORMAT_SIMPLE "
    "FORMAT_WITH_SPEC LOAD_FAST_AND_CLEAR LOAD_FAST_BORROW LOAD_FAST_BORROW_LOAD_FAST_BORROW "
    "LOAD_FAST_CHECK LOAD_FAST_LOAD_FAST LOAD_SMALL_INT NOT_TAKEN POP_ITER POP_JUMP_IF_FALSE "
    "POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE POP_JUMP_IF_TRUE RETURN_CONST SET_FUNCTION_ATTRIBUTE "
    "STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST STORE_SLICE TO_BOOL"
).split()
#: instructions that name something, by what they do with it
_READS = ("LOAD_GLOBAL", "LOAD_NAME")
_WRITES = ("STORE_GLOBAL", "STORE_NAME", "DELETE_GLOBAL", "DELETE_NAME")
_GETS = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
_IMPORTS = ("IMPORT_NAME",)
#: uses every one of them, each on a name that is not the first
_EXAMPLE = """
import a, b
from b import c
e = d = c
del e
def f():
    global g, h
    h = g = d.i(d.j).k
    del h
    return g(d(g.l))
"""

MODULES = frozenset(
    "__future__ bisect cmath collections copy functools heapq itertools math operator re string "
    "sys typing".split()
)
_OWNERS = (
    *(bytearray, bytes, complex, dict, float, frozenset, int, list, range, set, slice, str, tuple),
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(itertools, math),
)
#: what may be read of any object: all that is public of the owners, and these
ATTRIBUTES = frozenset(
    {name for owner in _OWNERS for name in dir(owner) if not name.startswith("_")}
    | set(
        "annotations bisect bisect_left bisect_right insort insort_left insort_right phase polar "
        "rect Counter OrderedDict defaultdict deque deepcopy cache cmp_to_key lru_cache partial "
        "reduce cache_clear heapify heappop heappush heappushpop heapreplace merge nlargest "
        "nsmallest from_iterable add floordiv itemgetter mod mul neg or_ sub truediv xor "
        "compile escape findall finditer fullmatch match search split subn A ASCII I IGNORECASE M "
        "MULTILINE S DOTALL X VERBOSE group groups groupdict span start end lastindex "
        "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable "
        "punctuation whitespace maxsize Any Callable DefaultDict Deque Dict FrozenSet Generator "
        "Hashable Iterable Iterator List Literal Mapping MutableMapping MutableSequence NoReturn "
        "Optional Sequence Set Sized Text Tuple Type Union cast send close value".split()
    )
)
BUILTINS = frozenset(
    "abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter "
    "float format frozenset hash hex int isinstance issubclass iter len list map max min next oct "
    "ord pow print range repr reversed round set slice sorted str sum tuple type zip Ellipsis "
    "NotImplemented".split()
) | {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_ANNOTATIONS = "__annotations__"
_GLOBALS = BUILTINS | {"__name__", _ANNOTATIONS}
#: while a program has not yet set a name of its own, it reads the builtin of that name
_NEVER_ITS_OWN = frozenset(vars(builtins)) - BUILTINS
_ASYNCHRONOUS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE | inspect.CO_ASYNC_GENERATOR


def is_plain(module: types.CodeType) -> bool:
    """Whether running this code, and calling what it defines, leaves nothing behind."""
    read: set[str] = set()
    written: set[str] = set()
    for code in _nested(module):
        raw = code.co_code
        opcodes = set(raw[::2])
        if not opcodes <= _LISTED or code.co_flags & _ASYNCHRONOUS:
            return False
        if not opcodes.isdisjoint(_SHIFTS) and not _is_listed(code.co_names, raw, read, written):
            return False
    if any(name.startswith("__") and name != _ANNOTATIONS for name in written):
        return False
    return written.isdisjoint(_NEVER_ITS_OWN) and read <= _GLOBALS | written


def _nested(module: types.CodeType) -> list[types.CodeType]:
    found = [module]
    for code in found:
        found += [item for item in code.co_consts if type(item) is types.CodeType]
    return found


def _is_listed(names: tuple[str, ...], raw: bytes, read: set[str], written: set[str]) -> bool:
    """Collect the globals of one code object; false when it gets or imports what is not listed."""
    extended = 0
    for opcode, argument in zip(raw[::2], raw[1::2], strict=True):
        if opcode == dis.EXTENDED_ARG:
            extended = (extended | argument) << 8
            continue
        if opcode in _SHIFTS:
            name = names[(extended | argument) >> _SHIFTS[opcode]]
            if opcode in _READING:
                read.add(name)
            elif opcode in _WRITING:
                written.add(name)
            elif name not in (ATTRIBUTES if opcode in _GETTING else MODULES):
                return False
        extended = 0
    return True


def _name_shifts() -> dict[int, int]:
    """By how many bits an instruction's argument is shifted to give the index of a name.

    The low bits are flags, which differ between versions of the interpreter, so an example tells.
    An instruction for which none fits is not listed.
    """
    fitting: dict[int, set[int]] = {}
    for code in _nested(compile(_EXAMPLE, "<example>", "exec")):
        for one in dis.get_instructions(code):
            if one.opname in (*_READS, *_WRITES, *_GETS, *_IMPORTS) and one.arg is not None:
                place = code.co_names.index(one.argval)
                shifts = {shift for shift in range(3) if one.arg >> shift == place}
                fitting[one.opcode] = fitting.get(one.opcode, shifts) & shifts
    return {opcode: min(shifts) for opcode, shifts in fitting.items() if shifts}


def _opcodes(names: Iterable[str]) -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


_SHIFTS = _name_shifts()
_READING, _WRITING, _GETTING = _opcodes(_READS), _opcodes(_WRITES), _opcodes(_GETS)
_LISTED = _opcodes(_OTHER_INSTRUCTIONS) | _SHIFTS.keys()
