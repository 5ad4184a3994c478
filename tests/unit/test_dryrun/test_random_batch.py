# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Images that check draws, cropped for a trial on the CPU."""

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmhires.dryrun.random_batch import draw_batch


@pytest.mark.parametrize(
    'pad, size', [((512, 512), (192, 192)), ((520, 515), (200, 195)), (None, (206, 192))]
)
def test_a_cropped_batch_is_padded_to_strides_as_in_training(pad, size):
    # Resized to 462 rows, which the data preprocessor pads to a crop's 512.
    init_default_scope('mmseg')
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations'),
        dict(type='Resize', scale=(924, 462)),
        dict(type='RandomCrop', crop_size=(512, 512)),
        dict(type='PackSegInputs'),
    ]
    cfg = Config(
        dict(
            default_scope='mmseg',
            model=dict(),
            train_dataloader=dict(dataset=dict(pipeline=pipeline)),
        )
    )
    batch = draw_batch(cfg, {}, limit=256, pad=pad)
    for image, sample in zip(batch['inputs'], batch['data_samples']):
        assert image.shape[1:] == size
        assert sample.gt_sem_seg.shape == size
