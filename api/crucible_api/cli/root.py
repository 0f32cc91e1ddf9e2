"""The `crucible` group: every command by name, imported only when it runs."""

from __future__ import annotations

import click

from crucible_api import __version__
from crucible_api.cli.lazy import Listed
from crucible_api.cli.prompt_group import PromptGroup

_HERE = "crucible_api.cli"

COMMANDS = (
    Listed("ask", "put a prompt to a model; what is no command is one", f"{_HERE}.ask"),
    Listed("chat", "talk with a model; run and fix what it writes", f"{_HERE}.chat"),
    Listed(
        "benchmark", "sample a model on a dataset, judge it, print pass@k", f"{_HERE}.benchmark"
    ),
    Listed("evaluate", "judge completions you already have", f"{_HERE}.evaluate"),
    Listed("compare", "is run B better than run A on the same challenges?", f"{_HERE}.compare"),
    Listed("report", "runs as one file to mail, or for a pull request", f"{_HERE}.report_file"),
    Listed("fine-tune", "train a model on a source tree, prove the gain", f"{_HERE}.fine_tune"),
    Listed("fine-tunes", "list, show, follow, stop, resume", f"{_HERE}.fine_tunes"),
    Listed("demo", "all of it with a toy, on this host, within minutes", f"{_HERE}.demo"),
    Listed("runs", "list, show, follow, pause, stop, resume, export, …", f"{_HERE}.runs"),
    Listed("sweeps", "list and show runs that were planned together", f"{_HERE}.sweeps"),
    Listed("models", "what answers on this host, or what a model spec means", f"{_HERE}.models"),
    Listed("datasets", "the datasets known by name", f"{_HERE}.datasets"),
    Listed("corpus", "a source tree to training examples", f"{_HERE}.corpus"),
    Listed("challenges", "make a benchmark of your own repository", f"{_HERE}.challenges"),
    Listed("logs", "what was asked and answered", f"{_HERE}.logs"),
    Listed("doctor", "what on this host makes results unsafe or unreliable", f"{_HERE}.doctor"),
    Listed("worker", "do the work of a cluster on this host", f"{_HERE}.worker"),
    Listed("serve", "the HTTP API and the page", f"{_HERE}.serve"),
    Listed("token", "who may ask the server beyond this host", f"{_HERE}.token"),
    Listed("flower", "the tasks of a cluster in a web page", f"{_HERE}.flower"),
    Listed("db", "the database's schema", f"{_HERE}.db"),
    Listed("config", "what files of configuration say; trust a project's", f"{_HERE}.config"),
    Listed("keys", "the keys of model servers", f"{_HERE}.keys"),
    Listed("shell-init", "`cc` and TAB completion for your shell", f"{_HERE}.shell_init"),
    Listed("shim", "`cc` as a file, for images and CI", f"{_HERE}.shim"),
)

EPILOG = """\b
Examples:
  crucible "a regular expression for ISO dates"
  git diff | crucible "write a commit message"
  crucible "a React button" -o src/Button.jsx
  crucible "a slugify function" --tests test_slug.py
  crucible chat -c
  crucible benchmark                              what answers here, on HumanEval
  crucible benchmark -m ollama:qwen2.5-coder:1.5b -n 20 -k 1,10
  crucible evaluate samples.jsonl --dataset humaneval+
  crucible compare latest 3f9a2c
  crucible fine-tune --model codellama:7b --directory ./src --new-model-name my-codellama
  crucible doctor

TAB completion, and `cc` for prompts beside your compiler: eval "$(crucible shell-init bash)", or
zsh; crucible shell-init fish | source.

With CRUCIBLE_SERVER=URL (and CRUCIBLE_TOKEN) a `crucible serve` elsewhere does the work.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 usage,
3 gate not met, 4 incomplete (verdicts or, for a gate, answers are missing), 130 Ctrl-C,
141 closed pipe, 143 SIGTERM.
"""


@click.group(
    cls=PromptGroup,
    listed=COMMANDS,
    epilog=EPILOG,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="crucible %(version)s")
@click.pass_context
def root(context: click.Context) -> None:
    """Find out honestly and fast how good a local code model is."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
