"""Rows of files that are well, oddly and badly made."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenges.rows import read_rows


def _file(directory: Path, content: bytes, name: str = "rows.jsonl") -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


def _problem(path: Path) -> str:
    with pytest.raises(FormatError) as caught:
        read_rows(path)
    assert caught.value.exit_code == 2
    assert "\n" not in caught.value.message
    return caught.value.message.removeprefix(str(path))


def test_byte_order_mark_crlf_and_blank_lines_are_tolerated(tmp_path: Path) -> None:
    path = _file(tmp_path, b'\xef\xbb\xbf\r\n{"a": 1}\r\n \t\r\n{"a": 2}\r\n\r\n')
    assert [(row.line, row.fields) for row in read_rows(path)] == [(2, {"a": 1}), (4, {"a": 2})]


def test_a_line_separator_inside_a_string_ends_no_row(tmp_path: Path) -> None:
    path = _file(tmp_path, '{"a": "x\u2028y"}\n{"a": "z"}\n'.encode())
    assert [row.fields["a"] for row in read_rows(path)] == ["x\u2028y", "z"]


def test_gzip_is_known_by_content_and_not_by_name(tmp_path: Path) -> None:
    packed = _file(tmp_path, gzip.compress(b'{"a": 1}\n'), "packed.json")
    plain = _file(tmp_path, b'{"a": 1}\n', "plain.jsonl.gz")
    assert read_rows(packed) == read_rows(plain)


def test_the_elements_of_an_array_know_their_lines(tmp_path: Path) -> None:
    path = _file(tmp_path, b'\n[\n {"a": [1, "]"]},\n\n {"a": 2}, {"a": 3}\n]\n')
    assert [(row.line, row.fields["a"]) for row in read_rows(path)] == [
        (3, [1, "]"]),
        (5, 2),
        (5, 3),
    ]


def test_an_object_around_one_array_is_its_rows(tmp_path: Path) -> None:
    content = {"version": "[1]", "n": [3], "tasks": [{"a": 1}, {"a": 2}]}
    spread = _file(tmp_path, json.dumps(content, indent=1).encode())
    assert [(row.line, row.fields["a"]) for row in read_rows(spread)] == [(7, 1), (10, 2)]
    assert len(read_rows(_file(tmp_path, json.dumps(content).encode()))) == 2


def test_one_row_spread_over_lines_is_a_row(tmp_path: Path) -> None:
    path = _file(tmp_path, b'{\n "a": 1\n}\n')
    assert [row.fields for row in read_rows(path)] == [{"a": 1}]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", ": the file is empty"),
        (b" \r\n\n", ": the file is empty"),
        (b"[]", ": the file holds no rows"),
        (b'{"a": 1}\n\n{"a": }\n', ":3: not JSON: Expecting value (column 7)"),
        (b'{"a": 1}\n{"a": "x\n', ":2: not JSON: Unterminated string starting at (column 7)"),
        (b'{"a": nope}\n{"a": 1}\n', ":1: not JSON: Expecting value (column 7)"),
        (b'[\n{"a": 1},\n{"a" 2}]', ":3: not JSON: Expecting ':' delimiter (column 6)"),
        (b'{"a": 1}\n[2]\n', ":2: a row must be a JSON object, not list"),
        (b"[1]", ":1: a row must be a JSON object, not int"),
        (b'{"a": 1}\n{"a": "\xff"}\n', ":2: not UTF-8 text (invalid start byte)"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", ":1: JSON nested too deeply"),
    ],
)
def test_bad_content_is_one_line_with_its_place(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    assert _problem(_file(tmp_path, content)) == problem


def test_an_integer_python_will_not_convert_names_its_line(tmp_path: Path) -> None:
    path = _file(tmp_path, b'{"a": 1}\n{"a": ' + b"9" * 5000 + b"}\n")
    assert _problem(path).startswith(":2: not usable JSON: Exceeds the limit")


def test_a_truncated_gzip_names_the_file(tmp_path: Path) -> None:
    whole = gzip.compress(b'{"a": 1}\n' * 1000)
    for length in (3, len(whole) // 2, len(whole) - 1):
        assert _problem(_file(tmp_path, whole[:length])) == ": the gzip file is truncated"


def test_a_corrupt_gzip_names_the_file(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b'{"a": 1}\n' * 1000))
    whole[len(whole) // 2] ^= 0xFF
    assert _problem(_file(tmp_path, bytes(whole))).startswith(": the gzip file is corrupt (")


def test_a_directory_and_a_missing_file_are_named(tmp_path: Path) -> None:
    assert _problem(tmp_path) == ": is a directory, not a file"
    assert _problem(tmp_path / "none.jsonl") == ": no such file"
    assert _problem(tmp_path / ("x" * 300)) == ": cannot be read: File name too long"
