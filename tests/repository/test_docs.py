# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The pages of the documentation: their links, lists, and their build."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from mmhires.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path
    for pattern in (
        '*.md',
        'configs/**/*.md',
        'docs/**/*.md',
        'tests/maintenance/*.md',
        'requirements/*.md',
    )
    for path in ROOT.glob(pattern)
    if not {'_build', 'generated'} & {*path.parts}
)
# The forge's own pages of this repository, relative to one of its files.
FORGE = '../../'


def slugs(page):
    """Anchors of a page's titles, as forges and MyST make them."""
    return {
        re.sub(r'[^\w -]', '', title).strip().lower().replace(' ', '-')
        for title in re.findall('^#+ (.*)$', page.read_text(), re.MULTILINE)
    }


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    links = re.findall(r'\]\(([^)#:]*)(?:#([^)]*))?\)', page.read_text())
    for path, anchor in links:
        if page.parent == ROOT and path.startswith(FORGE):
            continue
        target = page.parent / path if path else page
        assert target.exists(), path
        assert not anchor or anchor in slugs(target), (path, anchor)


def toctree(page):
    """Pages that a page has in its tables of contents."""
    for block in re.findall(r'```\{toctree\}\n(.*?)```', page.read_text(), re.DOTALL):
        for line in filter(None, map(str.strip, block.splitlines())):
            if line.startswith(':'):
                continue
            name = re.sub(r'.*<(.*)>', r'\1', line)
            folder = ROOT if name.startswith('/') else page.parent
            yield (folder / name.lstrip('/')).resolve()


def test_every_page_can_be_reached_from_the_first():
    seen, todo = set(), [ROOT / 'docs/index']
    while todo:
        page = todo.pop()
        seen.add(page)
        path = page.with_name(page.name + '.md')
        if path.exists():
            todo += {*toctree(path)} - seen
        else:
            assert page.with_name(page.name + '.ipynb').exists() or (
                page.parent.name == 'generated'
            ), page
    # The README is the forge's first page, docs/index.md the site's.
    assert {page.with_suffix('') for page in PAGES} - seen == {ROOT / 'README'}


def test_every_registered_component_is_in_the_reference():
    page = (ROOT / 'docs/reference/components.md').read_text()
    listed = re.findall(r'^   ~mmhires\.[\w.]+\.(\w+)$', page, re.MULTILINE)
    registered = {
        name
        for path in (ROOT / 'mmhires').rglob('*.py')
        if '.mim' not in path.parts
        for name in re.findall(
            r'^@\w+\.register_module\(.*\)\n(?:@.*\n)*class (\w+)', path.read_text(), re.MULTILINE
        )
    }
    assert len(registered) > 40
    assert sorted(listed) == sorted(registered)


def test_every_command_and_script_is_in_the_reference():
    page = (ROOT / 'docs/reference/commands.md').read_text()
    rows = re.findall(r'^\| `mmhires ([\w ]+)` \| (.*) \|$', page, re.MULTILINE)
    assert dict(rows) == COMMANDS
    scripts = {str(path.relative_to(ROOT)) for path in (ROOT / 'tools').rglob('*.[ps][yh]')}
    assert scripts == set(re.findall(r'`(tools/[\w/.]+)`', page))


def test_templates_are_what_the_forge_reads():
    forms = list((ROOT / '.github/ISSUE_TEMPLATE').glob('[!c]*.yml'))
    assert len(forms) == 3
    for form in map(yaml.safe_load, map(Path.read_text, forms)):
        assert {'name', 'description', 'body'} <= form.keys()
        ids = [part['id'] for part in form['body']]
        assert len(ids) == len(set(ids))
        assert all(part['attributes'] for part in form['body'])
    text = (ROOT / '.github/pull_request_template.md').read_text()
    assert all(f'make {target}' in text for target in ('test', 'lint', 'docs'))


def test_ci_builds_the_documentation_and_runs_the_notebook():
    flow = yaml.safe_load((ROOT / '.github/workflows/docs.yml').read_text())
    steps = flow['jobs']['docs']['steps']
    assert [{'run': f'make {name}'} in steps for name in ('docs', 'notebook')] == [True, True]


@pytest.mark.slow
@pytest.mark.skipif(
    not find_spec('myst_nb') or not find_spec('pydata_sphinx_theme'),
    reason='make docs installs Sphinx',
)
def test_the_documentation_builds_without_a_warning(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'sphinx',
            '-W',
            '-q',
            '-c',
            'docs',
            '-d',
            tmp_path / 'trees',
            '.',
            tmp_path / 'html',
        ],
        cwd=ROOT,
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    first = (tmp_path / 'html/docs/index.html').read_text()
    assert 'half-size images' in first
    page = tmp_path / 'html/docs/reference/generated'
    assert 'upscale' in (page / 'mmhires.models.super_resolution.SISRHead.html').read_text()
