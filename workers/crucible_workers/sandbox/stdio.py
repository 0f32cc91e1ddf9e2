"""Whether a program's output answers a stdin/stdout challenge, by LiveCodeBench's rules."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def outputs_agree(answer: str, expected: str) -> bool:
    """Compare line by line, white space at the ends aside; numbers by value, exactly.

    As LiveCodeBench does: lines agree when equal after stripping, or when every token is a number
    and the numbers are equal (so `1.0` answers `1`). Case matters.
    """
    lines = [line.strip() for line in answer.strip().split("\n")]
    wanted = [line.strip() for line in expected.strip().split("\n")]
    return len(lines) == len(wanted) and all(map(_lines_agree, lines, wanted))


def _lines_agree(line: str, wanted: str) -> bool:
    if line == wanted:
        return True
    numbers, others = _numbers(line), _numbers(wanted)
    return numbers is not None and numbers == others


def _numbers(line: str) -> list[Decimal] | None:
    try:
        return [Decimal(token) for token in line.split()]
    except InvalidOperation:
        return None
