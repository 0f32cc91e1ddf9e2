"""EvalPlus' own rows of HumanEval+ and MBPP+ (Liu et al. 2023), and how they compare.

Each input is given to the reference and to the candidate, both from a fresh deep copy. The base
inputs come first and the plus inputs follow; EvalPlus passes a program when all of both pass, so
one list serves. `inputs` is an expression over literals and the names inf, nan, set and complex.
A candidate that raises fails on that input, whatever the oracle.

The comparison of `out` (candidate) with `exp` (reference), by oracle name:

equal
    1. Pass if `out == exp`. Python's own equality: 1 == 1.0 == True, but (1, 2) != [1, 2] and
       1 != "1", so a list where the reference returns a tuple fails.
    2. Else the tolerance is `absolute_tolerance`; where that is 0 it is 1e-6 if `exp` is floats,
       and there is none otherwise. "Is floats": a float; a list or tuple that is not empty and
       whose items are all floats (not nested, a single int or bool spoils it); a numpy array of
       float64 or float32.
    3. Without tolerance: fail. With it, all must hold: `type(out) is type(exp)` (an int or a
       numpy.float64 where a float is expected fails); equal lengths of lists and tuples; and,
       element by element, `abs(out - exp) <= tolerance + 1e-7 * abs(exp)`, nested lists of equal
       shape included (numpy.allclose(out, exp, rtol=1e-7, atol=tolerance)). Infinities match
       themselves. What numpy cannot compare as numbers (strings, sets, dicts, ragged lists) fails.
set
    1. Pass if `set(out) == set(exp)`; order and repetition do not matter, nor does the container.
       An `out` that cannot be iterated or whose items cannot be hashed fails.
    2. Else as steps 2 and 3 of `equal`.
not_none
    The expected value is the truth of `exp is not None`. Pass if a bool `out` equals it, or if
    `out` is no bool and `out is not None` equals it.
polynomial_root
    `exp` is not used. With the coefficients xs of the (unchanged) only argument, pass if
    `abs(sum(c * math.pow(out, i) for i, c in enumerate(xs))) <= absolute_tolerance`.
are_equivalent
    Pass whatever is returned: the task cannot be judged, and EvalPlus says so.
sum_div
    As `equal`, and 0 passes too.
surface_area
    As `equal`, and so does an answer within `absolute_tolerance` of
    `round(b**2 + 2 * b * math.sqrt((b / 2) ** 2 + h**2))` for the arguments (b, h): the height of
    the pyramid read as perpendicular instead of slanted.
digit_distance
    As `equal`, and so does the sum of the differences of the arguments' decimal digits when the
    shorter number is padded with zeros on the left.

Two deliberate differences from EvalPlus' evaluator. There, the 1e-6 taken for one float output
stays for all later outputs of the list, and an argument the candidate changed in place is what
find_zero's oracle sees; neither can be meant, both pass wrong programs, and neither is done here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Challenge, Language, Limits, OracleTests
from crucible_tasks.challenges.format import Format
from crucible_tasks.challenges.humaneval import HUMANEVAL_PLUS_LIMITS
from crucible_tasks.challenges.mbpp import MBPP_PLUS_LIMITS
from crucible_tasks.challenges.mbpp_arguments import with_python_types

#: what EvalPlus cuts base models at, beside end-of-text tokens, which servers handle
_STOP = ("\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nif __name__", "\nprint(")
_HUMANEVAL_STOP = (*_STOP, "\nassert ")
_MBPP_STOP = (*_STOP, "\nassert", '\n"""')

_HUMANEVAL_ORACLES = {"find_zero": "polynomial_root"}
_MBPP_ORACLES = {
    "are_equivalent": "are_equivalent",
    "sum_div": "sum_div",
    "surface_Area": "surface_area",
    "digit_distance_nums": "digit_distance",
    # answers are match objects, which cannot be compared
    "check_str": "not_none",
    "text_match_three": "not_none",
    "text_starta_endb": "not_none",
    # the problem text leaves the order open
    "similar_elements": "set",
    "find_char_long": "set",
    "common_in_nested_lists": "set",
    "extract_singly": "set",
    "larg_nnum": "set",
    "intersection_array": "set",
    "find_dissimilar": "set",
    "Diff": "set",
}
#: every comparison the docstring above describes
ORACLES = frozenset({"equal", *_HUMANEVAL_ORACLES.values(), *_MBPP_ORACLES.values()})


class MbppPlusRow(msgspec.Struct):
    """The fields of a native MBPP+ row that matter here."""

    #: "Mbpp/2"
    task_id: str
    #: a docstring with the problem and one assertion
    prompt: str
    entry_point: str
    canonical_solution: str
    base_input: list[Any]
    #: one published row holds an empty object where it means an empty list
    plus_input: list[Any] | dict[str, Any]
    atol: float


class HumanEvalPlusRow(MbppPlusRow):
    """A native HumanEval+ row still carries HumanEval's own test, which is not run."""

    test: str


def _humaneval_challenge(row: HumanEvalPlusRow) -> Challenge:
    oracle = _HUMANEVAL_ORACLES.get(row.entry_point, "equal")
    tests = _tests(row, _argument_lists(row), oracle)
    return _challenge(row, tests, _HUMANEVAL_STOP, HUMANEVAL_PLUS_LIMITS)


def _mbpp_challenge(row: MbppPlusRow) -> Challenge:
    number = row.task_id.rpartition("/")[2]
    if not number.isdecimal():
        raise FormatError(f"`task_id` must end in a number as 'Mbpp/2' does, not {row.task_id!r}")
    try:
        arguments = [with_python_types(int(number), given) for given in _argument_lists(row)]
    except (TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"an argument is not what task {number} takes: {error}") from error
    oracle = _MBPP_ORACLES.get(row.entry_point, "equal")
    return _challenge(row, _tests(row, arguments, oracle), _MBPP_STOP, MBPP_PLUS_LIMITS)


def _argument_lists(row: MbppPlusRow) -> list[list[Any]]:
    if isinstance(row.plus_input, dict) and row.plus_input:
        raise FormatError("`plus_input` must be a list of argument lists, not an object")
    given = row.base_input + list(row.plus_input)
    if not given or not all(isinstance(arguments, list) for arguments in given):
        raise FormatError("`base_input` and `plus_input` must hold lists of arguments")
    return given


def _tests(row: MbppPlusRow, arguments: list[list[Any]], oracle: str) -> OracleTests:
    reference = row.prompt + row.canonical_solution
    return OracleTests(reference, _expression(arguments), float(row.atol), oracle)


def _challenge(
    row: MbppPlusRow, tests: OracleTests, stop: tuple[str, ...], limits: Limits
) -> Challenge:
    return Challenge(
        task_id=row.task_id,
        language=Language.PYTHON,
        prompt=row.prompt,
        entry_point=row.entry_point,
        tests=tests,
        reference=tests.reference,
        stop=stop,
        limits=limits,
    )


def _expression(value: Any) -> str:
    """Write a Python expression for a value of the kinds that the inputs are made of."""
    if isinstance(value, complex):
        # repr would lose the sign of a zero and write infj, which is no name
        return f"complex({value.real!r}, {value.imag!r})"
    if isinstance(value, list) and _may_hold_complex(value):
        return f"[{', '.join(map(_expression, value))}]"
    return repr(value)


def _may_hold_complex(value: list[Any]) -> bool:
    # complex numbers are arguments themselves and never deeper, so two levels are looked at
    return any(isinstance(item, complex) for item in value) or any(
        isinstance(inner, complex) for item in value if isinstance(item, list) for inner in item
    )


HUMANEVAL_PLUS = Format("humaneval+", HumanEvalPlusRow, _humaneval_challenge)
MBPP_PLUS = Format("mbpp+", MbppPlusRow, _mbpp_challenge)
