# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of the DABNet authors."""

from collections.abc import Callable

from torch import nn

from mmhires.registry import MODELS
from mmhires.utils.state_dict import StateDict, exchange

# https://github.com/Reagan1311/DABNet, from our keys to theirs.
_STAGES = (('norm_acts', 'bn_prelu'), ('downs', 'downsample'), ('blocks', 'DAB_Block'))
_BLOCK = (
    ('pre', 'bn_relu_1'),
    ('post', 'bn_relu_2'),
    ('reduce', 'conv3x3'),
    ('expand', 'conv1x1.conv'),
    (r'branches\.0\.0', 'dconv3x1'),
    (r'branches\.0\.1', 'dconv1x3'),
    (r'branches\.1\.0', 'ddconv3x1'),
    (r'branches\.1\.1', 'ddconv1x3'),
)
_RULES = (
    (r'^backbone\.stem\.', 'init_conv.'),
    *(
        (rf'^backbone\.{ours}\.{i}\.', f'{theirs}_{i + 1}.')
        for i in range(3)
        for ours, theirs in _STAGES
    ),
    (r'^(DAB_Block_(\d))\.', r'\1.DAB_Module_\2_'),
    (r'^(downsample_\d)\.conv\.', r'\1.conv3x3.conv.'),
    (r'^(downsample_\d)\.norm_act\.', r'\1.bn_prelu.'),
    *((rf'\.{ours}\.', f'.{theirs}.') for ours, theirs in _BLOCK),
    (r'(prelu_\d|\.bn_relu_\d|\.bn_prelu)\.norm\.', r'\1.bn.'),
    (r'(prelu_\d|\.bn_relu_\d|\.bn_prelu)\.act\.', r'\1.acti.'),
    (r'(init_conv\.\d|conv\dx\d)\.bn\.', r'\1.bn_prelu.bn.'),
    (r'\.activate\.', '.bn_prelu.acti.'),
    (r'^decode_head\.conv_seg\.', 'classifier.0.conv.'),
)


def _segmentor(size: Callable[[str], int]) -> nn.Module:
    classes = size('decode_head.conv_seg.weight')
    head = dict(type='mmhires.DABNetHead', in_channels=259, num_classes=classes)
    parts = dict(backbone=dict(type='mmhires.DABNet'), decode_head=head)
    return nn.ModuleDict({name: MODELS.build(cfg) for name, cfg in parts.items()})


def convert(state_dict: StateDict, source: str, reverse: bool) -> StateDict:
    """Convert all weights of a DABNet of any number of classes in either direction."""
    network = 'our DABNet' if reverse else "the authors' DABNet"
    return exchange(state_dict, _segmentor, _RULES, network, reverse)
