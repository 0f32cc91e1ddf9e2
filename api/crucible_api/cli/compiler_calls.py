"""Which calls of `cc` are prompts and commands of ours, and which are the compiler's.

A wrong guess must hurt us and never a build: whatever begins like an option or a path, or names a
file, is the compiler's. Ours are the words of our commands, `--interactive`, and a sentence.
"""

from __future__ import annotations

from pathlib import Path

from crucible_api.cli.root import COMMANDS

#: the name that compilers have; a function of another name hides none
COMPILER = "cc"

#: tells our files from others; the second line of each
MARK = "# crucible shim: compiler calls go to the next cc, commands and prompts to crucible"


def words() -> tuple[str, ...]:
    """First words that are ours."""
    return (*(entry.name for entry in COMMANDS), "--interactive")


def posix_function(name: str) -> str:
    """A function for bash and zsh; never exported, so that scripts and builds do not see it."""
    if name != COMPILER:
        return f'unalias {name} 2>/dev/null || true\nfunction {name} {{ command crucible "$@"; }}\n'
    return f"""\
unalias {name} 2>/dev/null || true
function {name} {{
  case "${{1-}}" in
    {"|".join(words())}) command crucible "$@" ;;
    -*|/*|./*|../*) command {name} "$@" ;;
    *[[:space:]]*) if [ -e "$1" ]; then command {name} "$@"; else command crucible "$@"; fi ;;
    *) command {name} "$@" ;;
  esac
}}
"""


def fish_function(name: str) -> str:
    """The same for fish."""
    if name != COMPILER:
        return f"function {name}\n  command crucible $argv\nend\n"
    return f"""\
function {name}
  switch "$argv[1]"
    case {" ".join(words())}
      command crucible $argv
    case '-*' '/*' './*' '../*'
      command {name} $argv
    case '* *' '*'\\t'*' '*'\\n'*'
      if test -e "$argv[1]"
        command {name} $argv
      else
        command crucible $argv
      end
    case '*'
      command {name} $argv
  end
end
"""


def shim() -> str:
    """The same as a program that passes over itself, and over others of its kind."""
    return f"""\
#!/bin/sh
{MARK}
case "${{1-}}" in
  {"|".join(words())}) exec crucible "$@" ;;
  -*|/*|./*|../*) ;;
  *[[:space:]]*) [ -e "$1" ] || exec crucible "$@" ;;
esac

is_shim() {{
  {{ IFS= read -r _ && IFS= read -r line; }} <"$1" 2>/dev/null
  [ "$line" = '{MARK}' ]
}}

rest=$PATH:
while [ -n "$rest" ]; do
  next=${{rest%%:*}}
  rest=${{rest#*:}}
  next=${{next:-.}}/cc
  line=
  if [ -f "$next" ] && [ -x "$next" ] && ! is_shim "$next"; then
    exec "$next" "$@"
  fi
done
echo 'cc: no compiler is on the PATH; prompts go first, in quotes: cc "Add comments"' >&2
exit 127
"""


def is_shim(file: Path) -> bool:
    """Whether the file is one that `crucible shim install` has written."""
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as content:
        return MARK.encode() in content.read(512).splitlines()
