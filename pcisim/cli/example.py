"""``pcisim example``: the guests that come with pcisim."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


EXAMPLES_SCHEMA = "pcisim.examples/1"


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "example",
        help="list the example guests, or print one",
        description="List the example guests that come with pcisim, or print the XML of one.",
        epilog="example:\n  pcisim example desktop | pcisim tree -\n",
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the example to print")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text (default) or json")
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    files = {path.stem: path for path in sorted(_folder().glob("*.xml"))}
    if arguments.format == "json" and arguments.name in (None, *files):
        rows = [
            {"name": name, "title": _title(path), "xml": path.read_text(encoding="utf-8") if arguments.name else None}
            for name, path in files.items()
            if arguments.name in (None, name)
        ]
        common.write_json({"schema": EXAMPLES_SCHEMA, "examples": rows})
        return 0
    if arguments.name is None:
        for name, path in files.items():
            common.write_stdout(f"{name:12} {_title(path)}\n")
        return 0
    if arguments.name not in files:
        raise UsageError(
            f"no example {arguments.name!r}", code="unknown-example", details=(f"there are: {', '.join(files)}",)
        )
    common.write_stdout(files[arguments.name].read_bytes())
    return 0


def _folder() -> Path:
    """Return the folder of the examples: in the installed package, or at the top of a checkout."""
    from pathlib import Path

    package = Path(__file__).resolve().parent.parent
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "examples"


def _title(path: Path) -> str:
    """Return the text of the comment at the head of an example."""
    text = path.read_text(encoding="utf-8")
    return text.partition("<!--")[2].partition("-->")[0].strip()
