"""Sphinx's settings for the documentation: `make docs` builds it in build/docs, warnings being errors."""

import re
from pathlib import Path

_VERSION = re.search(
    r'^__version__ = "([^"]+)"', (Path(__file__).parent.parent / "amavis_pipe/__init__.py").read_text(), re.M
)

project = "amavis-pipe"
release = version = _VERSION[1] if _VERSION else ""
author = "the authors of amavis-pipe"
project_copyright = author
language = "en"
html_theme = "furo"
html_title = f"amavis-pipe {release}"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
highlight_language = "none"
nitpicky = True
smartquotes = False  # what is shown is also typed
