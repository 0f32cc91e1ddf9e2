"""Whether a program is plain: whatever it does, nothing of it outlives its own namespace.

A process that has run only plain programs is as good as new, so it may run the next one; any other
program ends with its process. The gate reads the very bytecode that will run. It lets by what
computes with data and refuses all that could reach an object which the next program meets too: an
attribute that is set, an attribute, builtin or module that is not listed here, a class statement,
and every instruction that this list does not know.

What is left to a plain program are its own objects, the arguments it is given, and immutable ones.
"""

from __future__ import annotations

import builtins
import collections
import dis
import itertools
import math
import types

_OPCODES = (
    # what newer interpreters (3.12, 3.13, 3.14) added stands in a paragraph of its own
    "BINARY_OP BINARY_SUBSCR BUILD_CONST_KEY_MAP BUILD_LIST BUILD_MAP BUILD_SET BUILD_SLICE "
    "BUILD_STRING BUILD_TUPLE CACHE CALL CALL_FUNCTION_EX CHECK_EXC_MATCH COMPARE_OP CONTAINS_OP "
    "COPY COPY_FREE_VARS DELETE_DEREF DELETE_FAST DELETE_GLOBAL DELETE_NAME DELETE_SUBSCR "
    "DICT_MERGE DICT_UPDATE EXTENDED_ARG FORMAT_VALUE FOR_ITER GET_ITER GET_LEN "
    "GET_YIELD_FROM_ITER IMPORT_FROM IMPORT_NAME IS_OP JUMP_BACKWARD JUMP_BACKWARD_NO_INTERRUPT "
    "JUMP_FORWARD JUMP_IF_FALSE_OR_POP JUMP_IF_TRUE_OR_POP KW_NAMES LIST_APPEND LIST_EXTEND "
    "LIST_TO_TUPLE LOAD_ASSERTION_ERROR LOAD_ATTR LOAD_CLOSURE LOAD_CONST LOAD_DEREF LOAD_FAST "
    "LOAD_GLOBAL LOAD_METHOD LOAD_NAME MAKE_CELL MAKE_FUNCTION MAP_ADD MATCH_KEYS MATCH_MAPPING "
    "MATCH_SEQUENCE NOP POP_EXCEPT POP_JUMP_BACKWARD_IF_FALSE POP_JUMP_BACKWARD_IF_NONE "
    "POP_JUMP_BACKWARD_IF_NOT_NONE POP_JUMP_BACKWARD_IF_TRUE POP_JUMP_FORWARD_IF_FALSE "
    "POP_JUMP_FORWARD_IF_NONE POP_JUMP_FORWARD_IF_NOT_NONE POP_JUMP_FORWARD_IF_TRUE POP_TOP "
    "PRECALL PUSH_EXC_INFO PUSH_NULL RAISE_VARARGS RERAISE RESUME RETURN_GENERATOR RETURN_VALUE "
    "SEND SETUP_ANNOTATIONS SET_ADD SET_UPDATE STORE_DEREF STORE_FAST STORE_GLOBAL STORE_NAME "
    "STORE_SUBSCR SWAP UNARY_INVERT UNARY_NEGATIVE UNARY_NOT UNARY_POSITIVE UNPACK_EX "
    "UNPACK_SEQUENCE YIELD_VALUE "
    "BINARY_SLICE CALL_INTRINSIC_1 END_FOR END_SEND LOAD_FAST_AND_CLEAR LOAD_FAST_CHECK "
    "POP_JUMP_IF_FALSE POP_JUMP_IF_NONE POP_JUMP_IF_NOT_NONE POP_JUMP_IF_TRUE RETURN_CONST "
    "STORE_SLICE CALL_KW CONVERT_VALUE FORMAT_SIMPLE FORMAT_WITH_SPEC LOAD_FAST_LOAD_FAST "
    "SET_FUNCTION_ATTRIBUTE STORE_FAST_LOAD_FAST STORE_FAST_STORE_FAST TO_BOOL LOAD_FAST_BORROW "
    "LOAD_FAST_BORROW_LOAD_FAST_BORROW LOAD_SMALL_INT NOT_TAKEN POP_ITER"
).split()
_MODULES = frozenset(
    "__future__ bisect cmath collections copy functools heapq itertools math re string sys "
    "typing".split()
)
#: of modules; a name serves for every module, and for every object
_MEMBERS = (
    "Counter OrderedDict defaultdict deque deepcopy reduce lru_cache cmp_to_key partial annotations"
    " heapify heappop heappush heappushpop heapreplace nlargest nsmallest merge"
    " bisect bisect_left bisect_right insort insort_left insort_right"
    " compile escape findall finditer fullmatch search match sub subn"
    " I IGNORECASE M MULTILINE S DOTALL X VERBOSE ASCII"
    " ascii_letters ascii_lowercase ascii_uppercase digits hexdigits punctuation printable"
    " whitespace maxsize"
    " Any Callable DefaultDict Deque Dict FrozenSet Generator Hashable Iterable Iterator List"
    " Literal Mapping MutableMapping NoReturn Optional Sequence Set Sized Text Tuple Type Union"
    " cast chain from_iterable group groups groupdict span start end lastindex value"
    " cache_clear phase polar rect send close"
).split()
_TYPES: tuple[type, ...] = (
    bytearray,
    bytes,
    collections.Counter,
    collections.OrderedDict,
    collections.defaultdict,
    collections.deque,
    complex,
    dict,
    float,
    frozenset,
    int,
    list,
    range,
    set,
    slice,
    str,
    tuple,
)
_BUILTINS = frozenset(
    "abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter "
    "float format frozenset hash hex int isinstance issubclass iter len list map max min next oct "
    "ord pow print range repr reversed round set slice sorted str sum tuple type zip "
    "Ellipsis NotImplemented".split()
) | {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_ANNOTATIONS = "__annotations__"


def _public(*owners: object) -> set[str]:
    return {name for owner in owners for name in dir(owner) if not name.startswith("_")}


ATTRIBUTES = frozenset({*_MEMBERS, *_public(*_TYPES), *_public(math, itertools)})
_GLOBALS = _BUILTINS | {"__name__", _ANNOTATIONS}
#: a name that only may be the program's own is the builtin where the program has not set it yet
_NEVER_OWN = frozenset(vars(builtins)) - _BUILTINS
#: instructions by what their argument names
_READS = ("LOAD_GLOBAL", "LOAD_NAME")
_WRITES = ("STORE_GLOBAL", "STORE_NAME", "DELETE_GLOBAL", "DELETE_NAME")
_ATTRIBUTE_READS = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")
_IMPORTS = ("IMPORT_NAME",)
_NAMING = (*_READS, *_WRITES, *_ATTRIBUTE_READS, *_IMPORTS)
_SAMPLE = """
from a import b, c
d = e = f = b
del f
def g():
    global h, i
    h = i = d.k(e.l).m
    del i
    return h(j(i.n))
"""


def _known_opcodes() -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in _OPCODES if name in dis.opmap)


def _name_shifts() -> dict[int, int]:
    """How far to shift an instruction's argument to get its name's index, by example.

    The low bits carry flags, which differ between versions of the interpreter.
    """
    shifts: dict[int, int] = {}
    for code in _codes(compile(_SAMPLE, "", "exec")):
        for item in dis.get_instructions(code):
            if item.opname not in _NAMING or item.arg is None:
                continue
            place = code.co_names.index(item.argval)
            fitting = [shift for shift in range(3) if item.arg >> shift == place]
            shifts[item.opcode] = max(shifts.get(item.opcode, 0), min(fitting, default=3))
    return shifts


def _codes(code: types.CodeType) -> list[types.CodeType]:
    """This code and all that is nested in it."""
    found = [code]
    for one in found:
        found += [item for item in one.co_consts if type(item) is types.CodeType]
    return found


_SHIFTS = _name_shifts()
_EXTENDED_ARGUMENT = dis.EXTENDED_ARG
_KNOWN = _known_opcodes() - {
    # one that names something, but not in the example, cannot be read
    dis.opmap[name]
    for name in _NAMING
    if name in dis.opmap and dis.opmap[name] not in _SHIFTS
}


def _numbers(names: tuple[str, ...]) -> frozenset[int]:
    return frozenset(dis.opmap[name] for name in names if name in dis.opmap)


_READ_CODES, _WRITE_CODES = _numbers(_READS), _numbers(_WRITES)
_ATTRIBUTE_CODES, _IMPORT_CODES = _numbers(_ATTRIBUTE_READS), _numbers(_IMPORTS)


def is_plain(code: types.CodeType) -> bool:
    """Whether running this module, and calling what it defines, leaves nothing behind."""
    read: set[str] = set()
    written: set[str] = set()
    for one in _codes(code):
        raw = one.co_code
        opcodes = set(raw[::2])
        if not (opcodes <= _KNOWN and one.co_flags & _ASYNCHRONOUS == 0):
            return False
        if not opcodes.isdisjoint(_SHIFTS) and not _reads_listed(one, raw, read, written):
            return False
    is_own = written.isdisjoint(_NEVER_OWN) and not any(map(_is_reserved, written))
    return is_own and read <= _GLOBALS | written


_ASYNCHRONOUS = 0x80 | 0x100 | 0x200


def _reads_listed(
    code: types.CodeType, raw: bytes, read: set[str], written: set[str]
) -> bool:
    """Collect the names that one code object reads and writes; false at one that is not listed."""
    names = code.co_names
    extended = 0
    for opcode, low in zip(raw[::2], raw[1::2], strict=True):
        if opcode == _EXTENDED_ARGUMENT:
            extended = (extended | low) << 8
            continue
        shift = _SHIFTS.get(opcode)
        if shift is not None:
            name = names[(extended | low) >> shift]
            if opcode in _ATTRIBUTE_CODES:
                if name not in ATTRIBUTES:
                    return False
            elif opcode in _READ_CODES:
                read.add(name)
            elif opcode in _WRITE_CODES:
                written.add(name)
            elif name not in _MODULES:
                return False
        extended = 0
    return True


def _is_reserved(name: str) -> bool:
    return name.startswith("__") and name != _ANNOTATIONS
