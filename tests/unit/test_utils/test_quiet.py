# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import os
import subprocess
import sys

import pytest

from mmhires.utils.quiet import shortened

CODE = """
import warnings
import mmhires
from mmengine.logging import MMLogger, print_log
warnings.warn('pkg_resources is deprecated as an API. See')
warnings.warn('Default ``avg_non_ignore`` is False, if you would like')
warnings.warn('something of your own')
log = MMLogger.get_instance('quiet')
log.warning('Failed to search registry with scope "mmseg" in the tree')
log.warning('The loss is %s', 'nan')
"""


@pytest.mark.parametrize('switch, shown', [('0', False), ('1', True)])
def test_upstream_s_words_about_itself_are_left_out_unless_asked_for(switch, shown):
    done = subprocess.run(
        [sys.executable, '-c', CODE],
        env=dict(os.environ, MMHIRES_SHOW_WARNINGS=switch),
        capture_output=True,
        text=True,
        timeout=300,
    )
    printed = done.stdout + done.stderr
    for text in ('pkg_resources', 'avg_non_ignore', 'Failed to search'):
        assert (text in printed) == shown, printed
    assert 'something of your own' in printed
    assert 'The loss is nan' in printed


def test_keys_that_differ_are_one_line_with_their_numbers():
    message = (
        'The model and loaded state dict do not match exactly\n\n'
        'unexpected key in source state_dict: fc.weight, fc.bias\n\n'
        'missing keys in source state_dict: head.weight\n'
    )
    assert shortened(message) == (
        'Keys of the checkpoint: 2 unexpected (fc.weight), 1 missing (head.weight)'
    )
    assert shortened('Iter 10') == 'Iter 10'
