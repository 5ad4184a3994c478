# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import sys
from email.message import Message

import licenses
import pytest


@pytest.fixture(scope='module')
def listed(repo_root):
    """Licence of each package in the list."""
    text = (repo_root / 'requirements' / 'LICENSES.md').read_text()
    rows = [line.split(' | ') for line in text.splitlines()[9:]]
    return {name.lstrip('| '): licence for name, _, licence, _ in rows}


def test_no_licence_asks_users_of_mmhires_to_publish_their_own_code(listed):
    assert len(listed) > 60
    assert [name for name, licence in listed.items() if 'GPL' in licence] == []


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11), reason='written on Python 3.11; others need other packages'
)
def test_every_installed_dependency_is_listed_with_its_licence(listed):
    assert listed == {name: licence for name, (_, licence, _) in licenses.collect().items()}


def test_licence_that_the_metadata_does_not_name_is_asked_for():

    class Package:
        name = 'unclear'
        metadata = Message()

    Package.metadata['License'] = 'Copyright. ' * 20
    with pytest.raises(ValueError, match='unclear does not name its licence'):
        licenses.licence(Package)
