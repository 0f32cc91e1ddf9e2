"""Markdown: foreign texts stay texts, tables stay tables."""

from __future__ import annotations

import re

import pytest

from crucible_api.markdown_report import code, fenced
from crucible_api.run_report import command_of


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("qwen2.5-coder:7b", "`qwen2.5-coder:7b`"),
        ("a|b", "`a\\|b`"),
        ("<b> @all #1 [x](y)", "`<b> @all #1 [x](y)`"),
        ("two\nlines\u202e", "`two\ufffdlines\ufffd`"),
        ("in `code`", "`` in `code` ``"),
        ("a``b", "```a``b```"),
        ("", "`  `"),
    ],
)
def test_a_foreign_text_is_code_on_one_line(text: str, shown: str) -> None:
    assert code(text) == shown


@pytest.mark.parametrize("text", ["`", "``` x ```` y", "a | b", "\x00`\n`|"])
def test_code_ends_where_its_fence_does(text: str) -> None:
    found = re.fullmatch(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", code(text))
    assert found is not None
    assert not re.search(r"(?<!\\)\|", found[2])


def test_a_block_outlasts_the_fences_in_it() -> None:
    assert fenced("```\nx\n````") == "`````\n```\nx\n````\n`````"


def test_the_command_of_a_manifest_quotes_what_a_shell_would_read() -> None:
    manifest = {
        "dataset": {"name": "my data.jsonl", "challenges": 164},
        "challenges": 20,
        "model": {"spec": "ollama:x; rm -rf ~", "style": "chat"},
        "sampling": {"temperature": 0.8, "top_p": 0.95, "max_tokens": 512},
        "wording": None,
        "n": 10,
        "seed": 3,
    }
    assert command_of(manifest) == (
        "crucible benchmark -m 'ollama:x; rm -rf ~' -d 'my data.jsonl' -n 10 --seed 3 "
        "--temperature 0.8 --top-p 0.95 --max-tokens 512 --style chat --limit 20"
    )
    assert command_of({}) is None
