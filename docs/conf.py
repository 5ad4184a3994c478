# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The documentation site. ``make docs`` builds it into ``docs/_build``.

The source directory is the repository itself, so that pages that live beside
their configs are pages of the site as they are: one text, and its links work
on both. ``make docs`` passes it, this folder holds the settings.
"""

import importlib
import os
import warnings
from pathlib import Path

warnings.simplefilter('ignore')  # upstream's, of its imports
import mmhires  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]

project = 'mmhires'
copyright = 'mmhires contributors, Apache-2.0'
author = 'mmhires contributors'
release = version = mmhires.__version__

extensions = [
    'myst_nb',
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
]
root_doc = 'docs/index'
include_patterns = [
    'docs/**',
    'configs/**.md',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'SECURITY.md',
    'requirements/LICENSES.md',
    'tests/maintenance/README.md',
]
# Folders that hold no page, for the search for pages to pass by.
exclude_patterns = ['docs/_*'] + [
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and path.name not in ('configs', 'docs', 'requirements', 'tests')
]
# An absolute path: autosummary looks from the source directory.
templates_path = [str(ROOT / 'docs/_templates')]

myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 4
# Notebooks keep the outputs that they are committed with; `make notebook`
# runs them.
nb_execution_mode = 'off'

autosummary_generate = True
autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 79
add_module_names = False

html_theme = 'pydata_sphinx_theme'
html_title = 'mmhires'
html_static_path = ['_static']
html_css_files = ['custom.css']
html_show_sourcelink = False
html_copy_source = False
# The site's address itself leads to the first page.
html_additional_pages = {'index': 'redirect.html'}
html_theme_options = dict(
    header_links_before_dropdown=8,
    show_toc_level=2,
    navigation_depth=3,
    navbar_align='left',
    secondary_sidebar_items=['page-toc'],
    footer_start=['copyright'],
    footer_end=['sphinx-version'],
)


def write_options(app) -> None:
    """Write the page of all options from the commands themselves."""
    from mmhires import cli

    os.environ['COLUMNS'] = '80'  # of what --help prints
    page = ['# All options\n\nWhat `mmhires COMMAND --help` prints.\n']
    for name in cli.COMMANDS:
        module = importlib.import_module(f'mmhires.cli.{name.replace(" ", "_")}')
        parser = cli.Parser(f'mmhires {name}', description=module.__doc__, formatter_class=cli.Help)
        module.add_arguments(parser)
        page.append(f'## {name}\n\n```text\n{parser.format_help()}```\n')
    path = ROOT / 'docs/reference/generated/options.md'
    path.parent.mkdir(exist_ok=True)
    path.write_text('\n'.join(page), encoding='utf-8')


def setup(app) -> None:
    """Have the page written before pages are looked for."""
    app.connect('builder-inited', write_options)
