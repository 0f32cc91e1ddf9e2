"""The client of nano: an identity with a caution, and plain refusals."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from crucible_infra.errors import ContextOverflow, FormatError, InvalidModelSpec, RequestRefused
from crucible_tasks.completion import Finish, Form
from crucible_tasks.generation import Prompt
from crucible_tasks.planning import takes_prompts
from crucible_tasks.sampling import Sampling
from crucible_workers import nano
from crucible_workers.models.nano import LONGEST_ANSWER, open_nano
from model_requests import CHAT, samples


def test_it_is_plainly_a_toy() -> None:
    identity = open_nano("").identity()
    assert (identity.spec, identity.style) == ("nano", "base")
    assert identity.caution == "toy model, synthetic data"
    assert identity.details is not None
    assert identity.details["weights"] == nano.SHA256
    assert takes_prompts(identity.server)


def test_weights_in_a_directory_are_another_model_with_the_same_caution(tmp_path: Path) -> None:
    place = tmp_path / "merged"
    shutil.copytree(nano.weights_directory(), place)
    identity = open_nano(str(place)).identity()
    assert (identity.spec, identity.name) == (f"nano:{place}", "merged")
    assert identity.digest == open_nano("").identity().digest
    assert identity.caution == "toy model, synthetic data"
    (place / "tokenizer.json").write_text("{}")
    with pytest.raises(FormatError, match=r"tokenizer\.json"):
        open_nano(str(place))
    with pytest.raises(InvalidModelSpec, match="is no directory"):
        open_nano(str(tmp_path / "none"))


def test_an_answer_says_how_it_ended_and_what_it_cost() -> None:
    model = open_nano("")
    prompt = Prompt(text='def twice(n):\n    """Return the square of n."""\n')
    greedy = Sampling(temperature=0.0)
    (whole,) = model.sample(samples(0, prompt=prompt, sampling=greedy))
    assert whole.finish is Finish.STOP
    assert whole.form is Form.CONTINUATION
    assert (whole.prompt_tokens or 0) > 1
    (cut,) = model.sample(samples(0, prompt=prompt, sampling=replace(greedy, max_tokens=2)))
    assert (cut.finish, cut.completion_tokens) == (Finish.LENGTH, 2)
    assert whole.text.startswith(cut.text)
    assert (whole.completion_tokens or 0) <= LONGEST_ANSWER


def test_a_chat_a_long_prompt_and_a_closed_model_are_refused() -> None:
    model = open_nano("")
    with pytest.raises(RequestRefused, match="cannot chat"):
        model.sample(samples(0, prompt=CHAT))
    with pytest.raises(ContextOverflow, match="tokens does not fit into 2048"):
        model.sample(samples(0, prompt=Prompt(text="?!" * 2000)))
    model.close()
    with pytest.raises(RequestRefused, match="was closed"):
        model.sample(samples(0))
