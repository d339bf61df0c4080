"""The pages of the documentation, and the commands that they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.places import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHELL = {"", "sh", "bash", "console"}
"""Languages of fenced blocks that hold commands."""

FENCED = re.compile(r"(?ms)^```(\w*)\n(.*?)^```")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def fenced(text: str, *languages: str) -> list[str]:
    """The fenced blocks of a page in these languages."""
    return [block for language, block in FENCED.findall(text) if language in languages]


def lines(text: str) -> Iterator[str]:
    """The lines of indented blocks, and of fenced ones that hold commands."""
    fence: str | None = None
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fence = line.strip().removeprefix("```") if fence is None else None
        elif fence is not None:
            if fence in SHELL:
                yield line.strip()
        elif line.startswith("    "):
            yield line.strip()


def spans(text: str) -> list[str]:
    """The commands between backticks."""
    return re.findall(r"`((?:vcam|VCAM_\w+=\S+ vcam) [^`]*)`", re.sub(r"(?ms)^```.*?^```", "", text))


def words_of(line: str) -> Iterator[list[str]]:
    """The words of each `vcam ...` of a line behind its `vcam`; not those with gaps to fill in."""
    if "..." in line or "[OPTIONS]" in line:
        return
    # two spaces and more part a command from what is said of it
    line = re.split(r"\s{2,}", line.removeprefix("$ "))[0]
    for part in re.split(r"\s(?:&&|\||;)\s", line):
        found = re.match(r"(?:\w+=\S+ |sudo |exec )*vcam(?= |$)(.*)", part)
        if found:
            # a shell takes the sign for a comment at the beginning of a word alone
            words = shlex.split(re.split(r"(?:^|\s)#", found[1])[0])
            # into a file
            yield words[: words.index(">")] if ">" in words else words


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `vcam ...` in a page, in blocks and between backticks."""
    for line in (*lines(text), *spans(text)):
        yield from words_of(line)


def block_commands(text: str) -> Iterator[list[str]]:
    """Those in blocks alone: what people copy."""
    for line in lines(text):
        yield from words_of(line)
