"""Does the export say what the weights say? Greedy answers compared, or else its tensors.

A wrong template, a missing first token or rows in another order make a model worse without an
error, so an export is asked before it is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from crucible_infra import log
from crucible_tasks.completion import Form
from crucible_tasks.generation import Prompt
from crucible_tasks.model_export import Parity
from crucible_tasks.sampling import Sampling
from crucible_workers.models.interface import Model, SampleRequest
from crucible_workers.models.transformers_tokens import Tokens

#: beginnings that code models continue, some by indentation, which wrong spaces would show
PROMPTS = (
    "def fibonacci(n):\n",
    "import os\nimport sys\n\n\ndef main():\n    ",
    "class Stack:\n    def __init__(self):\n",
    "# Read a file line by line\n",
    "function add(a, b) {\n  return ",
    "for i in range(10):\n    ",
    "SELECT name FROM ",
    '"""Return the largest of three numbers."""\n',
)

#: tokens of an answer: a difference in the first ones is one in all
LIMIT = 24

#: tokens of prompt and answer
_CONTEXT = 512


def has_llama_cpp() -> bool:
    """Whether llama.cpp's own bindings are installed."""
    return find_spec("llama_cpp") is not None


def of_llama_cpp(
    path: Path, said: Sequence[str], tokens: Tokens, adapter: Path | None = None
) -> Parity:
    """Ask the file through llama.cpp, with an adapter on it where one is given."""
    import llama_cpp  # noqa: PLC0415 -- optional, and large

    # a cache in half precision would decide between tokens that are nearly as likely
    exact = llama_cpp.GGML_TYPE_F32
    model: Any = llama_cpp.Llama(
        str(path),
        n_ctx=_CONTEXT,
        type_k=exact,
        type_v=exact,
        verbose=False,
        lora_path=None if adapter is None else str(adapter),
    )
    try:
        found = [_answer(model, tokens, prompt) for prompt in PROMPTS]
    finally:
        model.close()
    return compare("greedy answers of llama.cpp", said, found)


def _answer(model: Any, tokens: Tokens, prompt: str) -> str:
    """Its own tokens of the prompt, its own greedy ones after them, and our text of these.

    Its completions leave out broken characters, which a small model writes often.
    """
    given = list(model.tokenize(prompt.encode(), special=False))
    found: list[int] = []
    model.reset()
    for token in model.generate(given, temp=0.0, repeat_penalty=1.0):
        if token in tokens.ends or len(found) == LIMIT:
            break
        found.append(token)
    return tokens.text(given, found)


def of_model(model: Model, said: Sequence[str], of: str) -> Parity:
    """Ask any model of ours."""
    sampling = Sampling(temperature=0.0, top_p=1.0, max_tokens=LIMIT)
    found = []
    for prompt in PROMPTS:
        request = SampleRequest("export", Prompt(prompt), sampling, 0, (0,), Form.CONTINUATION)
        found.append(model.sample(request)[0].text)
    return compare(of, said, found)


def compare(of: str, said: Sequence[str], found: Sequence[str]) -> Parity:
    """How many answers are the same."""
    pairs = list(zip(said, found, strict=True))
    for one, other in pairs:
        if one != other:
            log.info("export_differs", said=one, found=other)
    return Parity(of, sum(one == other for one, other in pairs), len(pairs))
