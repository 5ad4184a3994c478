# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A procedural street-scene dataset that needs no files."""

import contextlib
import logging
import os
import os.path as osp

import cv2
import numpy as np
from mmengine.logging import print_log
from mmseg.datasets import BaseSegDataset
from PIL import Image

from mmhires.registry import DATASETS
from mmhires.utils.files import open_whole
from mmhires.utils.source import code_hash

from ._streets import CLASSES, render
from .camvid import CamVidDataset

SPLITS = ('train', 'val', 'test')
MIN_SIDE = 32


@DATASETS.register_module()
class StreetsDataset(BaseSegDataset):
    """Synthetic street scenes with CamVid's 11 classes, for demos and tests.

    Every sample is a street seen from a car: textured houses, trees, lamps, signs, fences, cars,
    people and bicycles in perspective, with sun and shadow, lens blur and sensor noise. Poles are 1
    to 6 pixels wide at 256x512, so a network that sees half of that resolution loses them.

    ``seed``, ``split`` and the index decide a scene, ``size`` only how it is photographed: the
    scenes of a 512x1024 dataset are those of a 256x512 one. Nothing is random after that, in any
    process or worker.

    Samples come with image and labels in place, so a pipeline leaves ``LoadImageFromFile`` and
    ``LoadAnnotations`` out. ``img_path`` is a name (``'streets/train/000123'``), not a file; hooks
    that read it back, such as ``SegVisualizationHook(draw=True)``, cannot be used.

    Args:
        size: (H, W) of the pictures in pixels, each at least
            32. Defaults to (256, 512).
        length: Number of scenes, at least 1. Defaults to 400.
        split: 'train', 'val' or 'test': disjoint sets of scenes. Defaults to 'train'.
        seed: Another seed, another set of scenes; at least 0. Defaults to 0.
        supersample: Samples per pixel and side, 1 to 4, for smooth edges in the image. Labels are
            never blended. Defaults to 2.
        void: Label pixels of which no class covers more than half 255. Defaults to False: the
            smaller kind of object gets them.
        cache: Keep every picture once drawn. True: in the memory of every worker, 4 H W bytes each.
            A folder: there, image and label as the colours and alpha of a PNG, for other workers
            and runs too; one that is torn is drawn anew. Defaults to False.
        **kwargs: ``pipeline``, ``metainfo``, ``indices``, ``test_mode`` and
            so on, as ``mmseg.datasets.BaseSegDataset``; those about files
            have no effect.

    Raises:
        ValueError: If an argument is out of its range.
    """

    METAINFO = dict(classes=CLASSES, palette=CamVidDataset.METAINFO['palette'])

    def __init__(
        self,
        size=(256, 512),
        length: int = 400,
        split: str = 'train',
        seed: int = 0,
        supersample: int = 2,
        void: bool = False,
        cache: bool | str = False,
        **kwargs,
    ) -> None:
        self.size, self.length = tuple(size), length
        self.split, self.seed = split, seed
        self.supersample, self.void = supersample, void
        self.cache, self._drawn = cache, {}
        allowed = dict(
            size=(len(size) == 2 and min(size) >= MIN_SIDE, f'(H, W), each at least {MIN_SIDE}'),
            length=(length >= 1, 'at least 1'),
            split=(split in SPLITS, f'one of {SPLITS}'),
            seed=(seed >= 0, 'at least 0'),
            supersample=(supersample in range(1, 5), '1, 2, 3 or 4'),
        )
        for name, (fine, values) in allowed.items():
            if not fine:
                raise ValueError(f'{name} must be {values}, but {getattr(self, name)!r} is given')
        super().__init__(**kwargs)

    def load_data_list(self) -> list:
        """List the scenes.

        Returns:
            One entry per scene, without its picture.
        """
        labels = dict(label_map=self.label_map, reduce_zero_label=self.reduce_zero_label)
        shared = dict(labels, img_shape=self.size, ori_shape=self.size)
        path = f'streets/{self.split}/{{:06d}}'
        return [
            dict(shared, img_path=path.format(scene), scene=scene, seg_fields=['gt_seg_map'])
            for scene in range(self.length)
        ]

    def prepare_data(self, idx: int) -> dict:
        """Draw a scene and run the pipeline on it.

        Args:
            idx: Index of the sample.

        Returns:
            What the pipeline makes of ``img`` (H, W, 3), BGR, and ``gt_seg_map`` (H, W), both
            uint8.
        """
        results = self.get_data_info(idx)
        scene = results.pop('scene')
        picture = self._drawn.get(scene)
        if picture is None:
            picture = self._picture(scene)
            if self.cache is True:
                self._drawn[scene] = picture
        # Pipelines paint on what they get.
        image, label = picture[..., :3].copy(), picture[..., 3].copy()
        if self.label_map is not None:
            table = np.arange(256, dtype=np.uint8)
            table[list(self.label_map)] = list(self.label_map.values())
            label = table[label]
        results.update(img=image, gt_seg_map=label)
        return self.pipeline(results)

    def _picture(self, index: int) -> np.ndarray:
        """Return image and label as (H, W, 4), from the cache folder if possible."""
        scene = self.seed, SPLITS.index(self.split), index
        options = self.size, self.supersample, self.void
        if not isinstance(self.cache, str):
            return np.dstack(render(scene, *options))
        # Another version of the drawing code draws another picture.
        drawing = code_hash(osp.join(osp.dirname(__file__), '_streets'))
        name = '-'.join(map(str, (*scene, *self.size, *options[1:], drawing)))
        path = osp.join(self.cache, f'{name}.png')
        picture = _read_whole(path, self.size)
        if picture is None:
            picture = np.dstack(render(scene, *options))
            os.makedirs(self.cache, exist_ok=True)
            with open_whole(path, 'wb') as file:
                file.write(cv2.imencode('.png', picture)[1])
        return picture


def _read_whole(path: str, size: tuple[int, int]) -> np.ndarray | None:
    """Read a picture (H, W, 4); return None if it is missing or torn."""
    if not osp.isfile(path):
        return None
    with contextlib.suppress(OSError, SyntaxError):
        with Image.open(path) as image:
            image.verify()  # OpenCV makes a picture of the beginning of a file, too.
        picture = cv2.imread(path, cv2.IMREAD_UNCHANGED)
        if picture is not None and picture.shape == (*size, 4):
            return picture
    # Not the current runner's logger, whose lines may go to a file alone.
    print_log(f'{path} is torn; it is drawn anew', logging.getLogger('mmhires'), logging.WARNING)
    return None
