"""Man pages and completions, written from the parser of the command line: ``make share``.

They are kept in `share/`, which the wheel installs; a test compares them with what is written here.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from unittest import mock

import shtab
from argparse_manpage.manpage import Manpage

import pcisim
from pcisim.catalogue.devices import CONTROLLER_MODELS, DEVICE_MODELS
from pcisim.catalogue.limits import PRODUCTS
from pcisim.catalogue.profiles import OVMFS, PROFILES, SEABIOSES
from pcisim.catalogue.versions import VERSIONS
from pcisim.cli import parser as command_line
from pcisim.cli.schema import schemas
from pcisim.policies import POLICIES

ROOT = Path(__file__).resolve().parent.parent
SHARE = ROOT / "share"
URL = "https://github.com/pcisim/pcisim"
COMPLETIONS = {
    "bash": "bash-completion/completions/pcisim",
    "zsh": "zsh/site-functions/_pcisim",
    "fish": "fish/vendor_completions.d/pcisim.fish",
}
"""Where each shell looks for them, below `share`."""

_MODELS = [row.name for row in (*DEVICE_MODELS.values(), *CONTROLLER_MODELS.values())]
WORDS = {
    "--add": _MODELS,
    "--device": _MODELS,
    "--later": _MODELS,
    "--of": _MODELS,
    "--libvirt": ["auto", *VERSIONS],
    "--libvirt-old": [*VERSIONS],
    "--libvirt-new": [*VERSIONS],
    "--limits": [*PRODUCTS],
    "--ovmf": [*OVMFS],
    "--policy": [*POLICIES],
    "--profile": [*PROFILES],
    "--seabios": [*SEABIOSES],
    "--machine": ["pc", "q35"],
    "--machines": ["pc", "q35"],
}
"""What may follow an option that takes other words as well, so that the parser has no list of them."""
_BASH = """
# bash breaks words at = and : as well: --format=json and hotplug:spare=4 are made whole again
_pcisim() {
  local words=() cword=0 glued= i word last
  for (( i = 0; i < ${#COMP_WORDS[@]}; i++ )); do
    word=${COMP_WORDS[i]} last=$(( ${#words[@]} - 1 ))
    if [[ $word == "=" && ${words[last]} == --* ]]; then
      (( i == COMP_CWORD )) && words+=("")
    elif [[ -n $glued || ( $i -gt 0 && $word == [=:] ) ]]; then
      words[last]+=$word
      [[ $word == [=:] ]] && glued=1 || glued=
    else
      words+=("$word")
    fi
    (( i == COMP_CWORD )) && cword=$(( ${#words[@]} - 1 ))
  done
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$cword
  _shtab_pcisim "$@"
}

complete -o bashdefault -F _pcisim pcisim
"""
FILES = {"--keep", "--output", "--plot", "devices", "file", "files", "guests", "sources"}
"""Options and arguments that take files."""


def commands_of(top: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Return what a parser knows of its commands."""
    return next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))


def share_files() -> dict[str, str]:
    """Return the text of every file of `share` by its name there."""
    with mock.patch.dict(os.environ, {"COLUMNS": "102"}):
        return {**_man_pages(), **_completions()}


def _man_pages() -> dict[str, str]:
    top = command_line()
    commands = commands_of(top)
    about = {action.dest: action.help or "" for action in commands._get_subactions()}
    pages = {
        f"man/man1/pcisim-{name}.1": _page(one, f"pcisim-{name}", about[name], ("pcisim",))
        for name, one in commands.choices.items()
    }
    others = tuple(f"pcisim-{name}" for name in commands.choices)
    commands._name_parser_map.clear()  # each has a page of its own; the first page lists them
    next(group for group in top._action_groups if commands in group._group_actions).title = "commands"
    pages["man/man1/pcisim.1"] = _page(top, "pcisim", pcisim.__doc__.splitlines()[0].rstrip("."), others)
    return pages


def _page(one: argparse.ArgumentParser, name: str, about: str, others: tuple[str, ...]) -> str:
    epilog, one.epilog = one.epilog, None
    page = Manpage(one)
    page.prog, page.description = name, about[:1].lower() + about[1:]
    page.date, page.source, page.manual = "", f"pcisim {pcisim.__version__}", "pcisim"
    paragraphs = (epilog or "").strip().split("\n\n")
    for paragraph in filter(None, paragraphs):
        title, _, text = paragraph.partition(":")
        text = text.strip("\n")
        if text.startswith("  "):
            lines = (_escaped(line.removeprefix("  ")) for line in text.splitlines())
            text = "\n".join((".nf", *lines, ".fi"))
        else:
            text = _escaped(" ".join(text.split()))
        page.add_section(title, "=", text)
    page.add_section("see also", "=", ",\n".join(f".BR {_escaped(each)} (1)" for each in sorted(others)))
    page._data["url"], page._data["project_name"] = URL, "pcisim"
    return str(page)


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in {".", "'"} else text


def _completions() -> dict[str, str]:
    top = command_line()
    commands = commands_of(top).choices
    for one in commands.values():
        one.description = None  # the shorter help stands beside its name
        for action in one._actions:
            names = {*action.option_strings, action.dest}
            if names & FILES:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
            elif action.choices is None:
                action.choices = next((words for option, words in WORDS.items() if option in names), None)
            if isinstance(action.metavar, str):  # to zsh, a colon ends a field
                action.metavar = re.sub(r"[][]", "", action.metavar.replace(":", "="))
    for name, words in {"example": _examples(), "schema": [*schemas()]}.items():
        next(action for action in commands[name]._actions if action.dest == "name").choices = words
    texts = {path: f"{shtab.complete(top, shell).rstrip()}\n" for shell, path in COMPLETIONS.items()}
    bash, zsh = COMPLETIONS["bash"], COMPLETIONS["zsh"]
    texts[bash] = re.sub(r"\ncomplete .*\n$", _BASH, texts[bash])
    texts[zsh] = re.sub(r'"\(\*\)::?', '"*:', texts[zsh])  # shtab's form ends after the first of many files
    return texts


def _examples() -> list[str]:
    return sorted(path.stem for path in (ROOT / "examples").glob("*.xml"))


def main() -> None:
    """Write every file anew, and remove those that are no more."""
    texts = share_files()
    for path in SHARE.rglob("*"):
        if path.is_file() and path.relative_to(SHARE).as_posix() not in texts:
            path.unlink()
    for name, text in texts.items():
        target = SHARE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{len(texts)} files in {SHARE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
