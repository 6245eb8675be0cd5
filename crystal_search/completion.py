"""``crystal-search completion``: scripts with which shells complete commands and options.

The scripts hold no list: at each press of the key they ask ``crystal-search completion words -- WORD ...``, so that
they fit whatever version is installed. Where nothing is known the shell completes names of files.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence

from crystal_search.commands import COMMANDS, chosen, parser_for

BASH = """\
_crystal_search() {
    local IFS=$'\\n'
    COMPREPLY=($("$1" completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _crystal_search crystal-search
"""
ZSH = """\
_crystal_search() {
    local -a found
    found=("${(@f)$("${words[1]}" completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _crystal_search crystal-search
"""
FISH = """\
function __crystal_search
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] completion words -- $words[2..-1] 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c crystal-search -f -a '(__crystal_search)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
ASKING = "words"  #: in place of a shell's name, by which the scripts ask


def candidates(words: Sequence[str]) -> list[str]:
    """Return what the last of `words` may become; none where that is not known, as for names of files.

    Parameters
    ----------
    words
        What stands after ``crystal-search``; the last may be cut off or empty.

    Examples
    --------
    >>> candidates(["sc"])
    ['score']
    >>> candidates(["score", "--scor"])
    ['--scoring']
    >>> candidates(["score", "--scoring", ""])
    ['dense', 'windowed']
    """
    *before, last = words or [""]
    before = [word for word in before if word != "="]  # bash takes --option=value apart
    last = last.removeprefix("=")
    return sorted(word for word in _known(before, last) if word.startswith(last))


def _known(before: Sequence[str], last: str) -> Iterable[str]:
    if not before:
        return ["--help", "--version"] if last.startswith("-") else COMMANDS
    if before[0] not in COMMANDS:
        return ()
    command, rest = chosen(before)
    parser = parser_for(command).way(rest)[-1]
    option = parser.options.get(before[-1])
    if option and option.nargs != 0:
        return map(str, option.choices or ())
    return parser.options if last.startswith("-") else parser.words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=(*SCRIPTS, ASKING), help=f"which shell; {ASKING}: what the scripts ask")
    parser.add_argument("line", nargs="*", metavar="WORD", help="of the line so far, the last one to be completed")


def run(arguments: argparse.Namespace) -> None:
    """Print a shell's script, or what the last word may become."""
    if arguments.shell == ASKING:
        sys.stdout.writelines(f"{word}\n" for word in candidates(arguments.line))
    else:
        sys.stdout.write(SCRIPTS[arguments.shell])
