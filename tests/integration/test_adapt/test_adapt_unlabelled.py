# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``adapt --unlabelled``: pictures that the teacher teaches as well."""

import json
import os
import shutil

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from mmhires.adapt import AdaptError, adapt
from mmhires.cli import main
from mmhires.registry import DATASETS


@pytest.fixture
def pictures(mine):
    """``mine`` and a folder of five pictures of another size."""
    (mine / 'pictures/more').mkdir(parents=True)
    for i in range(5):
        noise = np.random.default_rng(i).integers(0, 256, (96, 192, 3))
        cv2.imwrite(f'pictures/{"more/" * (i % 2)}{i}.png', noise)
    return mine


def student(method, unlabelled='pictures', **options):
    options = dict(teacher_ckpt='mine.pth', iters=5, steps=0) | options
    text = adapt(method, 'mine.py', unlabelled=unlabelled, **options)
    name = f'{method}{bool(unlabelled)}.py'
    with open(name, 'w') as file:
        file.write(text)
    return Config.fromfile(name)


@pytest.mark.parametrize('method', ['dsrl', 'hrfr', 'plain'])
def test_the_loader_of_a_student_has_the_pictures(method, pictures):
    cfg, without = (student(method, folder).to_dict() for folder in ('pictures', None))
    dataset = cfg['train_dataloader'].pop('dataset')
    assert dataset == dict(
        type='mmhires.PartlyLabelledDataset',
        unlabelled='pictures',
        dataset=without['train_dataloader'].pop('dataset'),
    )
    assert cfg == without
    init_default_scope('mmseg')
    assert len(DATASETS.build(dataset).pictures) == 5


def train(cfg, work_dir, iters=5, **settings):
    cfg.merge_from_dict(
        dict(
            work_dir=work_dir,
            experiment_name=work_dir,
            # One of its own: visualizers are kept by their names.
            visualizer=dict(name=os.path.abspath(work_dir)),
            randomness=dict(seed=0),
            train_cfg=dict(max_iters=iters, val_interval=5),
            default_hooks=dict(
                checkpoint=dict(interval=1, max_keep_ckpts=-1), logger=dict(interval=1)
            ),
            **settings,
        )
    )
    Runner.from_cfg(cfg).train()


def scalars(work_dir, pictures):
    (path,) = (pictures / work_dir).glob('*/vis_data/scalars.json')
    lines = map(json.loads, path.read_text().splitlines())
    return [line for line in lines if 'loss' in line]


@pytest.mark.parametrize('method', ['dsrl', 'hrfr'])
def test_five_steps_learn_of_both_and_resume_to_the_bit(method, pictures):
    train(student(method, None), 'labelled', 1)
    train(student(method), 'mixed')
    (first,) = scalars('labelled', pictures)
    steps = scalars('mixed', pictures)
    assert len(steps) == 5 and all(np.isfinite(value) for step in steps for value in step.values())
    # The same labelled images, and other ones for the teacher beside them.
    assert steps[0]['decode.loss_ce'] == first['decode.loss_ce']
    taught = {key for key in first if key.endswith(('_kl', '_l2'))}
    assert len(taught) == (3 if method == 'hrfr' else 1)
    assert all(steps[0][key] != first[key] for key in taught)
    if method == 'hrfr':  # once is enough
        return
    (pictures / 'resumed').mkdir()
    shutil.copy('mixed/iter_3.pth', 'resumed')
    train(student(method), 'resumed', resume=True)
    assert len(scalars('resumed', pictures)) == 2
    want, got = (
        torch.load(f'{folder}/iter_5.pth', weights_only=False)['state_dict']
        for folder in ('mixed', 'resumed')
    )
    assert all(torch.equal(got[key], want[key]) for key in want)


def test_the_trial_trains_with_pictures_as_well(pictures, monkeypatch):
    from mmhires.models.segmentors import DistilledSegmentor

    seen, losses_of = [], DistilledSegmentor.losses_of

    def keep(self, inputs, samples, supervised):
        seen.append(supervised)
        return losses_of(self, inputs, samples, supervised)

    monkeypatch.setattr(DistilledSegmentor, 'losses_of', keep)
    student('plain', steps=2)
    assert seen[-4:] == [True, False] * 2


@pytest.mark.parametrize(
    'folder, message',
    [
        ('nowhere', 'there is no folder nowhere'),
        ('street.png', 'there is no folder street.png'),
        ('empty', 'empty holds no picture'),
        ('few', 'few holds 1 pictures, fewer than the 2 without labels'),
    ],
)
def test_a_folder_of_no_use_is_named_in_one_line(folder, message, pictures, capsys):
    (pictures / 'empty').mkdir()
    (pictures / 'few').mkdir()
    shutil.copy('street.png', 'few')
    assert (
        main(
            [
                'adapt',
                'plain',
                'mine.py',
                '--teacher-ckpt',
                'mine.pth',
                '--unlabelled',
                folder,
                '-o',
                'student.py',
            ]
        )
        == 2
    )
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not (pictures / 'student.py').exists()


@pytest.mark.parametrize(
    'method, options',
    [('plain', dict(teacher_ckpt=None)), ('hrfr', dict(teacher_ckpt=None)), ('jpu', {})],
)
def test_pictures_without_a_teacher_are_refused(method, options, pictures):
    with pytest.raises(AdaptError, match='teach nothing without a teacher'):
        student(method, **options)


def test_pictures_of_persons_are_refused(pictures):
    pytest.importorskip('mmpose')
    with pytest.raises(AdaptError, match='does not say where its persons'):
        adapt(
            'dsrl',
            'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
            'td-hm_mobilenetv2_8xb64-210e_coco-256x192.py',
            teacher_ckpt='mine.pth',
            unlabelled='pictures',
            steps=0,
        )
