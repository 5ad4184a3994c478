# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
# ruff: noqa: N803, names of pycocotools
"""xtcocotools' evaluation class, based on pycocotools'."""

import numpy as np
from pycocotools import cocoeval


class COCOeval(cocoeval.COCOeval):
    """The part of xtcocotools' evaluation that pycocotools supports.

    Args:
        cocoGt: Ground truth.
        cocoDt: Detections.
        iouType: ``'segm'``, ``'bbox'`` or ``'keypoints'``. Defaults to ``'segm'``.
        sigmas: Standard deviation of each keypoint relative to the object's size. Defaults to None,
            those of COCO's 17 keypoints.
        use_area: Must be True, the default: scale by the annotated area.

    Raises:
        NotImplementedError: For what only xtcocotools can evaluate.
    """

    def __init__(self, cocoGt=None, cocoDt=None, iouType='segm', sigmas=None, use_area=True):
        if iouType not in ('segm', 'bbox', 'keypoints') or not use_area:
            raise NotImplementedError(
                f'evaluating iouType={iouType!r} with use_area={use_area} needs xtcocotools, which '
                'has wheels for numpy<2 and Python up to 3.11'
            )
        super().__init__(cocoGt, cocoDt, iouType)
        if sigmas is not None:
            self.params.kpt_oks_sigmas = np.asarray(sigmas)
        self.sigmas = getattr(self.params, 'kpt_oks_sigmas', None)
