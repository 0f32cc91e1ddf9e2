"""Made-up models and datasets, as a user's database has them."""

from __future__ import annotations

from crucible_tasks.challenge import Challenge, Language, OracleTests, ScriptTests
from crucible_tasks.challenges import Dataset, create
from crucible_tasks.generation import ModelIdentity
from crucible_tasks.router import READ_SIGNALS, Member, Policy, Router, freeze, identity_of

SMALL = ModelIdentity(
    "ollama:qwen2.5-coder:1.5b", "qwen2.5-coder:1.5b", "ollama 0.5.1", "a" * 64, "chat"
)
LARGE = ModelIdentity(
    "ollama:qwen2.5-coder:7b", "qwen2.5-coder:7b", "ollama 0.5.1", "b" * 64, "chat"
)
VLLM = ModelIdentity(
    "openai:http://gpu-2:8000/v1#deepseek-coder-6.7b",
    "deepseek-coder-6.7b",
    "openai-compatible",
    "e" * 64,
    "chat",
)
TOY = ModelIdentity(
    "nano", "nano", "built in", "f" * 64, "base", caution="toy model, synthetic data"
)
HYBRID = identity_of(
    freeze(
        Router(
            "hybrid",
            Policy.CASCADE,
            (Member("fast", SMALL.spec), Member("quality", LARGE.spec)),
            READ_SIGNALS,
        ),
        [SMALL, LARGE],
    )
)

#: of the sweep
TEMPERATURES = (0.2, 0.6, 1.0)

_SHOP = (
    ("vat", "net, rate=0.19", "Return what is to be added to a net price.", "net * rate"),
    ("gross", "net", "Return the price with VAT.", "net * 1.19"),
    ("discount", "price, share", "Return the price less a share of it.", "price * (1 - share)"),
    ("cheapest", "prices", "Return the lowest price, or None.", "min(prices, default=None)"),
    ("basket_sum", "prices", "Return what the basket costs.", "sum(prices)"),
    ("initials", "name", "Return the initials of a name.", "''.join(w[0] for w in name.split())"),
    ("is_ean", "code", "Say whether this may be an EAN.", "code.isdigit() and len(code) == 13"),
    ("pack", "count, size", "Return how many boxes are needed.", "-(-count // size)"),
    ("slug", "title", "Return a title as part of a URL.", "title.lower().replace(' ', '-')"),
    ("stars", "votes", "Return the mean of some votes.", "sum(votes) / len(votes)"),
    (
        "loyal",
        "orders",
        "Say who ordered more than once.",
        "{o for o in orders if orders.count(o) > 1}",
    ),
    ("naïve & <odd>", "x", "Return x; the name of this challenge is odd.", "x"),
)


def shop() -> Dataset:
    """A made-up dataset of 12 challenges, half of them with an oracle."""
    return create("shop", "own", [_challenge(number) for number in range(len(_SHOP))])


def numbered(challenges: int) -> Dataset:
    """A dataset of this many challenges, which differ in their names."""
    return create("large", "own", [_numbered(number) for number in range(challenges)])


def _challenge(number: int) -> Challenge:
    name, parameters, says, value = _SHOP[number]
    function = name if name.isidentifier() else "odd"
    prompt = f'def {function}({parameters}):\n    """{says}"""\n'
    reference = f"{prompt}    return {value}\n"
    asserts = f"assert {function}(100) == 42\nassert {function}(0) == 0\n"
    oracle = OracleTests(reference, "[[100], [0]]", absolute_tolerance=1e-6)
    tests = oracle if number % 2 else ScriptTests(asserts)
    return Challenge(f"shop/{name}", Language.PYTHON, prompt, function, tests, reference)


def _numbered(number: int) -> Challenge:
    name = f"step_{number}"
    prompt = f'def {name}(values):\n    """Return the sum of the values, {number} added."""\n'
    return Challenge(
        f"large/{number}",
        Language.PYTHON,
        prompt,
        name,
        ScriptTests(f"assert {name}([1, 2]) == {number + 3}\n"),
        f"{prompt}    return sum(values) + {number}\n",
    )
