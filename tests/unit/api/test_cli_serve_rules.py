"""`crucible serve` and `crucible token`: who is let in where, and what is refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crucible_api.cli import serve
from crucible_api.cli.dispatch import dispatch
from crucible_api.http.server import listen
from crucible_api.tokens import open_tokens
from crucible_infra.errors import InvalidInput
from crucible_infra.settings import current


def test_on_loopback_it_is_known_by_the_names_of_this_host(crucible_home: Path) -> None:
    del crucible_home
    rules = serve._rules("127.0.0.1", (), None, is_open=True)
    assert rules.hosts == {"localhost", "127.0.0.1", "[::1]"}
    assert rules.is_good is None
    assert "[::1]" in (serve._rules("::1", (), None, is_open=True).hosts or ())


def test_beyond_it_a_token_must_exist_and_any_name_will_do(crucible_home: Path) -> None:
    del crucible_home
    for address in ("0.0.0.0", "192.168.1.4", "::"):
        with pytest.raises(InvalidInput, match="a token is needed") as refused:
            serve._rules(address, (), None, is_open=False)
        assert refused.value.hint == "crucible token create NAME"
    open_tokens(current()).create("over", days=-1)
    with pytest.raises(InvalidInput, match="a token is needed"):
        serve._rules("0.0.0.0", (), None, is_open=False)
    text = open_tokens(current()).create("laptop")
    rules = serve._rules("0.0.0.0", (), None, is_open=False)
    assert rules.hosts is None
    assert rules.is_good is not None
    assert rules.is_good(text)
    assert not rules.is_good("other")
    assert text not in repr(rules)


def test_a_name_that_is_allowed_is_the_only_one_besides_this_hosts(crucible_home: Path) -> None:
    secret = crucible_home / "secret"
    crucible_home.mkdir(exist_ok=True)
    secret.write_text("t" * 32)
    rules = serve._rules("0.0.0.0", ("Bench.example",), secret, is_open=False)
    assert rules.hosts is not None
    assert "bench.example" in rules.hosts
    assert "evil.example" not in rules.hosts
    assert rules.is_good is not None
    assert rules.is_good("t" * 32)


def test_what_it_says_of_every_address_can_be_opened() -> None:
    with listen("0.0.0.0", 0) as bound:
        assert bound.url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize(
    "words",
    [
        ("--address", "0.0.0.0"),
        ("--require-token",),
        ("--allow-host", "bench.example"),
        ("--token-file", "missing"),
    ],
)
def test_without_any_token_nothing_is_opened(
    words: tuple[str, ...], crucible_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del crucible_home
    assert dispatch(["serve", "--port", "0", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) <= 2


def test_a_port_that_is_taken_is_one_line(
    crucible_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del crucible_home
    with listen("127.0.0.1", 0) as bound:
        port = bound.socket.getsockname()[1]
        assert dispatch(["serve", "--port", str(port)]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines()[0] == f"error: 127.0.0.1 port {port}: Address already in use"


def test_a_token_is_made_once_listed_and_revoked(
    crucible_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del crucible_home
    assert dispatch(["token", "create", "ci", "--days", "1"]) == 0
    made = capsys.readouterr()
    text = made.out.strip()
    assert open_tokens(current()).is_good(text)
    assert text not in made.err
    assert dispatch(["token", "create", "ci"]) == 2
    assert dispatch(["token", "list"]) == 0
    told = capsys.readouterr()
    assert "ci" in told.out
    assert text not in told.out + told.err
    assert dispatch(["token", "list", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["name"], set(entry)) == ("ci", {"name", "created_at", "expires_at"})
    assert dispatch(["token", "revoke", "ci"]) == 0
    assert not open_tokens(current()).is_good(text)
    assert dispatch(["token", "revoke", "ci"]) == 2
    capsys.readouterr()
