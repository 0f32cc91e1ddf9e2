"""Our own format: it keeps everything, and refuses what it does not know."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from crucible_infra.errors import FormatError
from crucible_tasks.challenge import Limits, OracleTests, RepositoryTests, StdioTests
from crucible_tasks.challenges import decode, encode, load, open_dataset, select, write_rows

DATA = Path(__file__).with_name("data")
ROW: dict[str, Any] = json.loads((DATA / "own.jsonl").read_text().splitlines()[0])


def test_optional_fields_have_defaults_and_are_kept() -> None:
    greet, echo, double = open_dataset(str(DATA / "own.jsonl")).challenges
    assert (greet.limits, greet.stop, greet.reference) == (Limits(), (), None)
    assert (echo.limits, echo.stop) == (Limits(cpu_seconds=1.5), ("\n#",))
    assert isinstance(echo.tests, StdioTests)
    assert isinstance(double.tests, OracleTests)
    assert double.tests.absolute_tolerance == 0.5


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.json*")))
def test_every_format_survives_a_round_trip(tmp_path: Path, name: str) -> None:
    dataset = open_dataset(str(DATA / name))
    written = tmp_path / "own.jsonl"
    written.write_bytes(write_rows(dataset))
    again = load(written, dataset.name)
    assert again.format == "crucible"
    assert (again.challenges, again.digest) == (dataset.challenges, dataset.digest)


def _repository_rows(archive: bytes) -> list[dict[str, Any]]:
    tests = {
        "type": "repository",
        "snapshot": hashlib.sha256(archive).hexdigest(),
        "path": "a.py",
        "module": "a",
        "name": "f",
        "first_line": 1,
        "last_line": 2,
        "tests": ["test_a.py::test_f"],
        "packages": [],
    }
    return [ROW | {"task_id": name, "tests": tests} for name in ("a.f", "a.g")]


def test_one_row_brings_the_repository_for_all_of_them(tmp_path: Path) -> None:
    first, second = _repository_rows(b"packed")
    first["archive"] = base64.b64encode(b"packed").decode()
    path = tmp_path / "mine.jsonl"
    path.write_text(f"{json.dumps(first)}\n{json.dumps(second)}\n")

    dataset = load(path, "mine")
    path.write_bytes(write_rows(select(dataset, task_ids=["a.g"])))
    (only,) = load(path, "mine").challenges

    assert dataset.archives == (b"packed",)
    assert decode(encode(dataset)).archives == (b"packed",)
    assert isinstance(only.tests, RepositoryTests)
    assert (only.tests.module, only.tests.tests) == ("a", ("test_a.py::test_f",))
    assert load(path, "mine").archives == (b"packed",)


@pytest.mark.parametrize(
    ("archive", "problem"),
    [
        (None, "no row has the `archive`"),
        ("!", "`archive` is not base64"),
        (base64.b64encode(b"another").decode(), "no row has the `archive`"),
    ],
)
def test_rows_without_their_repository_are_refused(
    tmp_path: Path, archive: str | None, problem: str
) -> None:
    rows = [row | {"archive": archive} for row in _repository_rows(b"packed")]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    with pytest.raises(FormatError, match=problem):
        load(path, "mine")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"timeout": 3}, "Object contains unknown field `timeout`"),
        ({"limits": {"cpu_second": 3}}, "`limits` has no field `cpu_second`"),
        ({"limits": {"cpu_seconds": 0}}, "`limits.cpu_seconds` must be above 0, not 0"),
        ({"limits": {"cpu_seconds": "3"}}, "`limits`: Expected `float`, got `str`"),
        ({"tests": {"type": "script", "source": "", "x": 1}}, "`tests` has no field `x`"),
        (
            {"tests": {"type": "stdio", "cases": [{"stdin": "", "stdout": "", "y": 1}]}},
            "`tests` has no field `y`",
        ),
        ({"tests": {"type": "shell"}}, "`tests`: Invalid value 'shell' - at `$.type`"),
        ({"tests": "assert 1"}, "Expected `object`, got `str` - at `$.tests`"),
        ({"language": "cobol"}, "Invalid enum value 'cobol' - at `$.language`"),
        (
            {"tests": {"type": "oracle", "reference": "", "inputs": "[]", "oracle": "vibes"}},
            "`oracle` is one of are_equivalent, digit_distance, equal, ",
        ),
        (
            {"entry_point": None, "tests": {"type": "oracle", "reference": "", "inputs": "[]"}},
            "oracle tests need an `entry_point`",
        ),
    ],
)
def test_what_is_not_in_the_format_is_refused_by_name(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(ROW | change))
    with pytest.raises(FormatError) as caught:
        load(path, "mine")
    assert caught.value.message.startswith(f"{path}:1: ")
    assert problem in caught.value.message
