"""How a container is ordered from its engine, and what is said when the engine does not deliver."""

from __future__ import annotations

import itertools
import json
import os
import sys
from pathlib import Path

import pytest

from crucible_infra.errors import SandboxUnavailable
from crucible_workers.sandbox.containers import Container, Engine, find_engine, start_container
from crucible_workers.sandbox.prison import container as inside
from crucible_workers.sandbox.runtime import Runtime, find_runtime

RUNTIME = Runtime("/usr/bin/python3", (("/usr/lib", "/usr/lib"),), ("/usr/lib/x",), ("/p",), ())

#: keeps its orders in a file; "runs" a container by visiting the host in the zygote's place
_ENGINE = """#!{python}
import json, pathlib, socket, sys
words = sys.argv[1:]
with open(__file__ + ".log", "a") as log:
    log.write(json.dumps(words) + "\\n")
if words[0] == "run":
    door, = (word.split(":")[0] for word in words if word.endswith(":/control:ro"))
    visitor = socket.socket(socket.AF_UNIX)
    visitor.connect(door + "/socket")
    visitor.sendall(b"here")
    visitor.recv(1)
    sys.exit(137)
sys.exit({inspected} if words[0] == "image" else 0)
"""


def engine_at(path: Path, text: str) -> Engine:
    path.write_text(text)
    path.chmod(0o755)
    return Engine(str(path))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A small engine that does as it is told and remembers it."""
    return engine_at(tmp_path / "docker", _ENGINE.format(python=sys.executable, inspected=0))


def orders(engine: Engine) -> list[list[str]]:
    return [json.loads(line) for line in Path(f"{engine.path}.log").read_text().splitlines()]


def ended(made: Container) -> int:
    made.control.close()
    return made.process.wait(10)


def test_the_visitor_is_the_control_channel_and_its_end_ends_the_container(engine: Engine) -> None:
    made = start_container(engine, RUNTIME, {"A": "b"})

    assert made.control.recv(4) == b"here"
    assert made.control.gettimeout() is None
    assert ended(made) == 137


def test_every_wall_is_ordered(engine: Engine) -> None:
    ended(start_container(engine, RUNTIME, {"A": "b"}))

    run = next(words for words in orders(engine) if words[0] == "run")
    pairs = set(itertools.pairwise(run))
    assert {
        ("--network", "none"),
        ("--ipc", "none"),
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--pull", "never"),
        ("--env", "A=b"),
        ("--volume", "/usr/lib:/usr/lib:ro"),
    } <= pairs
    assert {"--rm", "--read-only", "--memory", "--pids-limit"} <= set(run)
    assert {pair[1] for pair in pairs if pair[0] == "--cap-add"} == {"SETUID", "SETGID", "KILL"}
    assert all(pair[1].endswith(":ro") for pair in pairs if pair[0] == "--volume")
    assert "--privileged" not in run


def test_an_image_and_a_runtime_of_the_users_choice_are_passed_on(engine: Engine) -> None:
    chosen = Engine(engine.path, runtime="runsc", image="python:3.12")
    ended(start_container(chosen, RUNTIME, {}))

    (run,) = orders(engine)
    assert run[run.index("--runtime") + 1] == "runsc"
    assert run[run.index("--entrypoint") + 1 :][:2] == ["python3", "python:3.12"]
    # the image's own Python, so nothing of this host's
    assert "/usr/lib:/usr/lib:ro" not in run


def test_podman_is_spoken_to_in_its_dialect(tmp_path: Path) -> None:
    text = _ENGINE.format(python=sys.executable, inspected=0)
    engine = engine_at(tmp_path / "podman", text)
    ended(start_container(engine, RUNTIME, {}))

    run = next(words for words in orders(engine) if words[0] == "run")
    assert "--read-only-tmpfs=false" in run
    assert not any("nr_inodes" in word for word in run)
    assert any(word.startswith("/usr/lib/x:") and "notmpcopyup" in word for word in run)


def test_an_empty_image_is_made_where_there_is_none(tmp_path: Path) -> None:
    engine = engine_at(tmp_path / "docker", _ENGINE.format(python=sys.executable, inspected=1))
    ended(start_container(engine, RUNTIME, {}))

    assert [words[0] for words in orders(engine)] == ["image", "import", "run"]


def test_removing_is_forced(engine: Engine) -> None:
    made = start_container(engine, RUNTIME, {})
    made.control.close()
    made.remove()

    name = orders(engine)[1][orders(engine)[1].index("--name") + 1]
    assert orders(engine)[-1] == ["rm", "--force", name]


def test_what_a_refusing_engine_says_is_passed_on(tmp_path: Path) -> None:
    says = "echo usage >&2; echo 'no such thing' >&2"
    engine = engine_at(
        tmp_path / "docker", f"#!/bin/sh\n[ $1 = image ] && exit 0\n{says}; exit 125"
    )

    with pytest.raises(SandboxUnavailable, match="docker does not start a prison: no such thing"):
        start_container(engine, RUNTIME, {})


def test_an_engine_without_its_daemon_is_named(tmp_path: Path) -> None:
    engine = engine_at(tmp_path / "docker", "#!/bin/sh\necho 'cannot connect' >&2; exit 1")

    with pytest.raises(SandboxUnavailable, match="docker cannot make an image: cannot connect"):
        start_container(engine, RUNTIME, {})


def test_no_engine_is_a_reason_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SandboxUnavailable, match="no docker or podman") as caught:
        find_engine()
    assert "CRUCIBLE_CONTAINER_ENGINE" in (caught.value.hint or "")
    with pytest.raises(SandboxUnavailable, match="no nerdctl on"):
        find_engine("nerdctl")


def test_a_real_engine_starts_a_zygote_that_ends_with_its_channel() -> None:
    try:
        made = start_container(find_engine(), find_runtime(), {})
    except SandboxUnavailable as error:
        pytest.skip(str(error))

    # it waits for its configuration, and goes when there will be none
    assert made.process.poll() is None
    assert ended(made) == 0


def test_a_box_is_emptied_however_deep_locked_or_many(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "file").write_text("x")
    (place / "link").symlink_to("/")
    locked = place / "locked" / "inner"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0)
    locked.parent.chmod(0)
    _dig(place, 40)

    inside._empty(str(place), place.stat().st_uid)

    assert list(place.iterdir()) == []


def _dig(place: Path, depth: int) -> None:
    """A chain of directories whose path is longer than any call takes."""
    name = "d" * 200
    descriptor = os.open(place, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir(name, dir_fd=descriptor)
        deeper = os.open(name, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
