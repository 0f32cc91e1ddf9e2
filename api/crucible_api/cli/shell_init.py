"""`crucible shell-init`: `cc` as a function beside the compiler, and TAB completion."""

from __future__ import annotations

import re

import click

from crucible_api.cli import options
from crucible_api.cli.compiler_calls import fish_function, posix_function
from crucible_api.cli.output import Voice
from crucible_infra.errors import InvalidInput

SHELLS = ("bash", "zsh", "fish")

#: what every shell takes for the name of a function
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_PROGRAM = "crucible"

#: a bare zsh completes nothing, and knows no `compdef`
_ZSH_COMPLETES = "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }\n"

EPILOG = """\b
In ~/.bashrc or ~/.zshrc:        eval "$(crucible shell-init bash)"
In ~/.config/fish/config.fish:   crucible shell-init fish | source

\b
Then:
  cc "Create a new React component" --output Button.jsx
  cat my-code.js | cc "Add comments to this code"
  cc benchmark
  cc -O2 main.c                  # is the compiler's, as before

`cc` is a function of your shell and no program: make, configure and scripts go on to find the
compiler. Ours are calls that begin with a command's name, `--interactive`, or a sentence in quotes
that is no file's name; so write the prompt first and options after it.
"""


@click.command("shell-init", epilog=EPILOG)
@click.argument("shell", type=click.Choice(SHELLS))
@click.option(
    "--name", default="cc", show_default=True, metavar="NAME", help="What to call the function."
)
@options.voiced
def command(voice: Voice, *, shell: str, name: str) -> None:
    """Print what gives SHELL `cc` and TAB completion."""
    if not _NAME.fullmatch(name) or name == _PROGRAM:
        raise InvalidInput(f"no function can be called {name!r}", hint="a word, like cc or ask")
    function = fish_function(name) if shell == "fish" else posix_function(name)
    script = function + _completion(shell)
    voice.data({"shell": shell, "script": script}) if voice.is_json else voice.answer(script)


def _completion(shell: str) -> str:
    from click.shell_completion import ShellComplete, get_completion_class

    from crucible_api.cli.root import root

    kind = get_completion_class(shell)
    assert kind is not None
    first = _ZSH_COMPLETES if shell == "zsh" else ""
    # bash's own `source` starts a bash only to look at its version
    return first + ShellComplete.source(kind(root, {}, _PROGRAM, "_CRUCIBLE_COMPLETE"))
