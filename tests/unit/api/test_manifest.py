"""A manifest holds the wording whole, and says in which one a model was asked."""

from __future__ import annotations

from dataclasses import replace

import scripted_run
from crucible_api.manifest import Asked, make_manifest, prompt_of
from crucible_tasks.prompts import VERSION
from crucible_tasks.sampling import Sampling
from crucible_tasks.wording import Wording

#: a model that reads its prompt
LIVE = replace(scripted_run.MODEL, server="ollama 0.5.1")

ASKED = Asked(LIVE, Sampling(), seed=7, n=1)

MINE = Wording("folder/a+b.txt", "Please: {request}\n")


def _prompt_of(asked: Asked | None) -> str | None:
    manifest = make_manifest(scripted_run.dataset(), None, challenges=3, asked=asked)
    return prompt_of(manifest)


def test_the_prompt_is_the_file_and_its_digest_or_our_own_or_nothing() -> None:
    assert _prompt_of(ASKED) == "default"
    assert _prompt_of(replace(ASKED, wording=MINE)) == f"a-b@{MINE.sha256[:8]}"
    # neither a replay nor an evaluation asks
    assert _prompt_of(replace(ASKED, model=scripted_run.MODEL)) is None
    assert _prompt_of(None) is None


def test_a_manifest_holds_the_wording_whole() -> None:
    manifest = make_manifest(
        scripted_run.dataset(), None, challenges=3, asked=replace(ASKED, wording=MINE)
    )
    assert manifest["prompt"] == f"{VERSION}+{MINE.label}"
    assert manifest["wording"] == {"name": "a-b", "sha256": MINE.sha256, "text": MINE.text}
