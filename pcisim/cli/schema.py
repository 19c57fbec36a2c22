"""``pcisim schema``: the JSON Schema of what ``--format json`` prints."""

from __future__ import annotations

import argparse

from pcisim.cli import common
from pcisim.errors import UsageError, did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def add_parser(commands: Any) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of what --format json prints",
        description="List the documents that --format json prints, or print the JSON Schema of one.",
        epilog="examples:\n  pcisim schema\n  pcisim schema capacity > capacity.schema.json\n",
        formatter_class=common.HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a document, as the key schema names it")
    common.add_debug(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    files = schemas()
    if arguments.name is None:
        common.write_stdout("".join(f"{name}\n" for name in files))
        return 0
    name, _, version = arguments.name.removeprefix("pcisim.").partition("/")
    if name not in files or version not in ("", "1"):
        raise UsageError(
            f"no schema {arguments.name!r}",
            code="usage",
            details=(f"there are: {', '.join(files)}",),
            remedy=did_you_mean(name, files, 1),
        )
    common.write_stdout(files[name].read_bytes())
    return 0


def schemas() -> dict[str, Path]:
    """Return the files of the schemas by name."""
    from pathlib import Path

    folder = Path(__file__).resolve().parent.parent / "schemas"
    return {path.stem: path for path in sorted(folder.glob("*.json"))}
