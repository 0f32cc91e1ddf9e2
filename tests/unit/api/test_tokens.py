"""Tokens: shown once, kept as digests, good until they are revoked or over."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crucible_api.tokens import TokenFile, is_among, read_tokens
from crucible_infra.errors import FormatError, InvalidInput, NameTaken


@pytest.fixture
def tokens(tmp_path: Path) -> TokenFile:
    return TokenFile(tmp_path / "home" / "tokens.json")


def test_a_token_is_good_and_nothing_like_it_is(tokens: TokenFile) -> None:
    text = tokens.create("laptop")
    assert tokens.is_good(text)
    for other in ("", text[:-1], text + "x", text.upper(), "\ud800", tokens.all()[0].sha256):
        assert not tokens.is_good(other)


def test_only_its_digest_is_kept_for_its_owners_eyes(tokens: TokenFile) -> None:
    text = tokens.create("laptop")
    assert text.removeprefix("crucible_") not in tokens.path.read_text()
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    assert len(text) > 40


def test_what_another_process_makes_or_revokes_counts_at_once(tokens: TokenFile) -> None:
    other = TokenFile(tokens.path)
    assert not tokens.is_good("x")
    first, second = other.create("first"), other.create("second")
    assert tokens.is_good(first)
    other.revoke("first")
    assert not tokens.is_good(first)
    assert tokens.is_good(second)


def test_a_token_of_yesterday_is_over(tokens: TokenFile) -> None:
    over = tokens.create("over", days=-1)
    lasting = tokens.create("lasting", days=1)
    assert not tokens.is_good(over)
    assert tokens.is_good(lasting)
    assert [one.is_over for one in tokens.all()] == [True, False]


def test_names_are_names_and_each_is_taken_once(tokens: TokenFile) -> None:
    tokens.create("laptop")
    with pytest.raises(NameTaken, match="there is a token called laptop"):
        tokens.create("laptop")
    for name in ("", "a b", "-x", "a/b", "x" * 65, "\n"):
        with pytest.raises(InvalidInput, match="cannot be called"):
            tokens.create(name)
    with pytest.raises(InvalidInput, match="no token is called 'other'"):
        tokens.revoke("other")


def test_many_that_are_made_at_once_are_all_good(tokens: TokenFile) -> None:
    files = [TokenFile(tokens.path) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda pair: pair[1].create(f"t{pair[0]}"), enumerate(files)))
    assert all(tokens.is_good(one) for one in made)


@pytest.mark.parametrize("content", [b"", b"[{}]", b'"x"', b"\xff"])
def test_a_damaged_file_lets_nobody_in(
    tokens: TokenFile, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    text = tokens.create("laptop")
    tokens.path.write_bytes(content)
    assert not tokens.is_good(text)
    with pytest.raises(FormatError):
        tokens.all()
    capfd.readouterr()


def test_a_file_that_others_can_read_lets_nobody_in(tokens: TokenFile) -> None:
    text = tokens.create("laptop")
    tokens.path.chmod(0o644)
    assert not tokens.is_good(text)


def test_the_tokens_of_a_secret_are_read_from_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("a" * 24 + "\n" + "b" * 64 + "\n")
    found = read_tokens(path)
    assert is_among(found, "a" * 24)
    assert is_among(found, "b" * 64)
    assert not is_among(found, "a" * 25)
    for content in ("", "short", "a" * 24 + "\nshort"):
        path.write_text(content)
        with pytest.raises(FormatError, match="at least 24") as refused:
            read_tokens(path)
        assert "short" not in str(refused.value)
    with pytest.raises(InvalidInput, match="no such file"):
        read_tokens(tmp_path / "missing")
