# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Checkpoints of DABNet's authors."""
from collections.abc import Callable
from functools import partial

from torch import nn

from mmhires.models.backbones import DABNet
from mmhires.models.decode_heads import DABNetHead
from mmhires.utils.state_dict import exchange

from .convert import SOURCES, TARGETS

# https://github.com/Reagan1311/DABNet, from our keys to theirs.
_RULES = (
    (r'^backbone\.stem\.', 'init_conv.'),
    *((rf'^backbone\.{ours}\.{i}\.', f'{theirs}_{i + 1}.') for i in range(3)
      for ours, theirs in (
          ('norm_acts', 'bn_prelu'),
          ('downs', 'downsample'),
          ('blocks', 'DAB_Block'),
      )),
    (r'^(DAB_Block_(\d))\.', r'\1.DAB_Module_\2_'),
    (r'^(downsample_\d)\.conv\.', r'\1.conv3x3.conv.'),
    (r'^(downsample_\d)\.norm_act\.', r'\1.bn_prelu.'),
    (r'\.pre\.', '.bn_relu_1.'),
    (r'\.post\.', '.bn_relu_2.'),
    (r'\.reduce\.', '.conv3x3.'),
    (r'\.expand\.', '.conv1x1.conv.'),
    *((rf'\.branches\.{i}\.{j}\.', f'.{branch}conv{kernel}.')
      for i, branch in enumerate(('d', 'dd'))
      for j, kernel in enumerate(('3x1', '1x3'))),
    (r'(prelu_\d|\.bn_relu_\d|\.bn_prelu)\.norm\.', r'\1.bn.'),
    (r'(prelu_\d|\.bn_relu_\d|\.bn_prelu)\.act\.', r'\1.acti.'),
    (r'(init_conv\.\d|conv\dx\d)\.bn\.', r'\1.bn_prelu.bn.'),
    (r'\.activate\.', '.bn_prelu.acti.'),
    (r'^decode_head\.conv_seg\.', 'classifier.0.conv.'),
)


def _segmentor(size: Callable[[str], int]) -> nn.Module:
    width = 259
    classes = size('decode_head.conv_seg.weight')
    return nn.ModuleDict(
        dict(
            backbone=DABNet(),
            decode_head=DABNetHead(width, num_classes=classes)))


# All of the weights or none, of any number of classes.
SOURCES['dabnet'] = partial(
    exchange, build=_segmentor, rules=_RULES, network="the authors' DABNet")
TARGETS['dabnet'] = partial(
    exchange,
    build=_segmentor,
    rules=_RULES,
    network='our DABNet',
    reverse=True)
