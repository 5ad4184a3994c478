# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Patches that let the released OpenMMLab wheels run on current PyTorch.

MMEngine 0.10.7, MMCV 2.1.0, MMSegmentation 1.2.2 and MMPose 1.3.2 are the newest releases, and
older than the PyTorch, NumPy and setuptools of today; OneDL maintains forks of all but the last
under other names. Each :class:`Item` below answers one failure of that combination, looks first
whether the failure is there, and can be deleted when upstream ships a fix.

``import mmhires`` calls :func:`apply`. An item which concerns a package that is not imported yet
waits for its import, so that applying costs no import of its own. ``python -m mmhires.compat``
prints what was done and why.
"""

from ._item import Item

ITEMS = (
    Item('onedl', 'configs named mmseg:: are not found with the forks'),
    Item('mmcv_ext', 'mmcv-lite has no compiled operators'),
    Item('checkpoint_globals', 'torch.load refuses the checkpoints of MMEngine', 'torch'),
    Item('url_checkpoints', 'checkpoints of web addresses run code', 'mmengine.runner.checkpoint'),
    Item('checkpoint_fallback', 'forks run the code of checkpoints', 'mmengine.runner.checkpoint'),
    Item('cpu', 'a launcher needs CUDA even where there is none', 'mmengine.runner'),
    Item('torchvision', 'without it, or with a wrong one, imports end'),
    Item('pkg_resources', 'setuptools 82 removed what MMEngine imports'),
    Item('xtcocotools', 'MMPose needs xtcocotools, built for NumPy 1', 'mmpose'),
    Item('draw_circles', 'MMPose cannot draw keypoints beside NumPy 2.4', 'mmpose'),
    Item(
        'timm_maps',
        'timm gives maps with channels last',
        'mmpretrain.models.backbones.timm_backbone',
    ),
)


def apply() -> None:
    """Apply every item now, or when its target is imported.

    Applying again does nothing.
    """
    for item in ITEMS:
        item.apply()


__all__ = ['ITEMS', 'Item', 'apply']
