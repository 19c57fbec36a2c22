"""What a terminal can show, and colours on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from pcisim.cli.manner import ALWAYS, AUTO, manner
from pcisim.cli.wrapping import width_of, wrapped
from pcisim.formats.plain import printable


def can_show(characters: str) -> bool:
    """Return whether standard output has these characters."""
    try:
        characters.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def wants_colour() -> bool:
    """Return whether results are printed in colours: by default on a terminal on which nobody switched them off."""
    if manner.color != AUTO:
        return manner.color == ALWAYS
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def coloured(lines: Iterable[str], styles: Mapping[str, str]) -> str | None:
    """Return lines with a terminal's colours, or ``None`` where rich is not installed.

    Args:
        lines: the lines.
        styles: rich's style of what each regular expression finds.
    """
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return None
    forced = {"force_terminal": True, "color_system": "standard", "no_color": False} if manner.color == ALWAYS else {}
    console = Console(highlight=False, soft_wrap=True, **forced)  # type: ignore[arg-type]
    with console.capture() as capture:
        for line in lines:
            text = Text(line)
            for pattern, style in styles.items():
                text.highlight_regex(pattern, style)
            console.print(text)
    return capture.get()


def text_of(lines: list[str], styles: Mapping[str, str]) -> str | bytes:
    """Return lines as one text, or as the bytes of one in colours where the terminal wants them."""
    if wants_colour():
        text = coloured(wrapped(map(printable, lines), width_of(sys.stdout)), styles)
        if text is not None:
            return text.encode(sys.stdout.encoding or "utf-8", "backslashreplace")
    return "".join(f"{line}\n" for line in lines)
