# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import subprocess
import sys

import pytest

BUILD_ALL = """
import sys
sys.modules['mmpose'] = None
import mmhires.models
from mmhires.registry import MODELS
for name in sys.argv[1:]:
    try:
        MODELS.build(dict(type=f'mmhires.{name}'))
    except ImportError as error:
        print(name, 'needs MMPose' if 'need MMPose' in str(error) else error)
"""


@pytest.mark.slow
def test_every_component_for_pose_says_what_it_needs():
    pose = pytest.importorskip('mmhires.models.pose')
    run = subprocess.run(
        [sys.executable, '-c', BUILD_ALL, *pose.__all__], capture_output=True, text=True
    )
    assert run.stdout.splitlines() == [f'{name} needs MMPose' for name in pose.__all__], run.stderr
