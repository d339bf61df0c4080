"""What the shells' completion scripts and vcam say to each other.

click's own scripts put a space behind every word, and bash parts words at `=` and `:` before click sees them. So vcam
has scripts of its own: a word that goes on, as `camera.mirror=` does, is offered with the type `open`, and bash hands
over its whole line.
"""

from __future__ import annotations

import os

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

GOES_ON = ("=", ":", "/")
"""What a word ends with that is not the whole of what is to be typed."""


class Bash(BashComplete):
    """Completion for bash 4.4 and newer."""

    source_template = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value

    response=$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORD="$2" %(complete_var)s=bash_complete "$1")

    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"

        if [[ $type == 'dir' ]]; then
            COMPREPLY=()
            compopt -o dirnames
        elif [[ $type == 'file' ]]; then
            COMPREPLY=()
            compopt -o default
        elif [[ $type == 'open' ]]; then
            COMPREPLY+=("$value")
            compopt -o nospace
        elif [[ $type == 'plain' ]]; then
            COMPREPLY+=("$value")
        fi
    done

    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        words = split_arg_string(line)[1:]
        # a blank at the end begins another word
        last = words.pop() if words and not line[-1:].isspace() else ""
        return words, last

    def format_completion(self, item: CompletionItem) -> str:
        """The part of the word that bash replaces: what comes after the last sign at which it parts words."""
        typed = split_arg_string(os.environ["COMP_LINE"])[-1:] or [""]
        whole = typed[0].partition("=")[2] if typed[0].startswith("--") else typed[0]
        part = os.environ.get("COMP_WORD", "").lstrip("=:")
        before = whole[: len(whole) - len(part)] if whole.endswith(part) else ""
        # one that is quoted is no part of it
        value = item.value.removeprefix(before) if before and before[-1] in "=:" else item.value
        return f"{_kind(item)},{value}"


class Zsh(ZshComplete):
    """Completion for zsh."""

    source_template = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a plain described open shown response
    local type key descr
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
        %(complete_var)s=zsh_complete %(prog_name)s)}")

    for type key descr in ${response}; do
        if [[ "$type" == "open" ]]; then
            open+=("$key")
            [[ "$descr" == "_" ]] && shown+=("$key") || shown+=("$key  -- $descr")
        elif [[ "$type" == "plain" ]]; then
            [[ "$descr" == "_" ]] && plain+=("$key") || described+=("$key":"$descr")
        elif [[ "$type" == "dir" ]]; then
            _path_files -/
        elif [[ "$type" == "file" ]]; then
            # the name of a setting is no folder
            compset -P '*='
            _path_files -f
        fi
    done

    (( $#described )) && _describe -V unsorted described -U
    (( $#plain )) && compadd -U -V unsorted -a plain
    (( $#open )) && compadd -U -S '' -V unsorted -l -d shown -a open
    return 0
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    # autoload from fpath, call function directly
    %(complete_func)s "$@"
else
    # eval/source/. command, register function for later
    compdef %(complete_func)s %(prog_name)s
fi
"""

    def format_completion(self, item: CompletionItem) -> str:
        words = split_arg_string(os.environ["COMP_WORDS"])
        number = int(os.environ["COMP_CWORD"])
        value = _option(words[number] if number < len(words) else "") + item.value
        if _kind(item) == "open":
            # for compadd, which wants no colon escaped
            return f"open\n{value}\n{item.help or '_'}"
        return super().format_completion(CompletionItem(value, item.type, item.help))


class Fish(FishComplete):
    """Completion for fish, which by itself puts no space behind `=`, `:` and `/`, and wants whole words."""

    source_template = """\
function %(complete_func)s;
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \\
        COMP_CWORD=(commandline -t) %(prog_name)s);

    for completion in $response;
        set -l metadata (string split --max 2 "," $completion);

        if test $metadata[1] = "dir";
            __fish_complete_directories $metadata[2];
        else if test $metadata[1] = "file";
            # the name of a setting before it is no folder
            string replace -r -- '^' "$metadata[3]" (__fish_complete_path $metadata[2]);
        else;
            string join -- "," $metadata[2..-1];
        end;
    end;
end;

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)";
"""

    def format_completion(self, item: CompletionItem) -> str:
        typed = (split_arg_string(os.environ["COMP_CWORD"]) or [""])[0]
        if item.type == "file":
            return f"file,{item.value},{typed.removesuffix(item.value)}"
        return super().format_completion(CompletionItem(_option(typed) + item.value, item.type, item.help))


def _kind(item: CompletionItem) -> str:
    return "open" if item.type == "plain" and item.value.endswith(GOES_ON) else item.type


def _option(typed: str) -> str:
    """What of a word is the option before its value: `--set=`."""
    name, equals, _ = typed.partition("=")
    return name + equals if equals and typed.startswith("--") else ""


def register() -> None:
    """Have click use these."""
    for kind in (Bash, Zsh, Fish):
        add_completion_class(kind)
