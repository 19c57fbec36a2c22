"""How Sphinx builds these pages: ``make docs``."""

import inspect
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pcisim
from tools import reference

project = "pcisim"
author = "the pcisim developers"
version = release = pcisim.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build"]
default_role = "py:obj"
smartquotes = False  # two hyphens are an option
highlight_language = "console"

myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
maximum_signature_line_length = 90
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "pcisim"
html_copy_source = False
html_show_copyright = False


def skips(app: object, what: str, name: str, member: object, skip: bool, options: object) -> bool:
    """Leave out the fields of tuples that have no text of their own: their class tells what they are."""
    return skip or (inspect.getdoc(member) or "").startswith("Alias for field number")


def setup(app: Sphinx) -> None:
    """Write the pages that come from the code."""
    app.connect("autodoc-skip-member", skips)
    reference.write()
