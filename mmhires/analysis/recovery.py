# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""How much of a teacher's features a linear map of the student's recovers."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn as update_statistics

from mmhires.models.necks.srr import start_linear
from mmhires.models.recording import MAPS
from mmhires.models.segmentors import HRFR


class Moments:
    """Second moments of enlarged student features x and teacher features y."""

    def __init__(self) -> None:
        self.xx = self.xy = self.yy = self.y = self.count = 0

    def add(self, x: Tensor, y: Tensor) -> None:
        """Add the pixels of two maps ``(N, C, H, W)``."""
        x, y = (feat.movedim(1, 3).flatten(0, 2).double().cpu() for feat in (x, y))
        self.xx += x.T @ x
        self.xy += x.T @ y
        self.yy += y.T @ y
        self.y += y.sum(0)
        self.count += len(x)

    def r2(self, down: Tensor, up: Tensor) -> float:
        """Return the share of y's variance that ``x @ down @ up`` explains."""
        linear = down @ up
        error = self.yy.trace() - 2 * (linear * self.xy).sum() + (linear * (self.xx @ linear)).sum()
        variance = self.yy.trace() - self.y.square().sum() / self.count
        return float(1 - error / variance)

    def projected(self, rank: int) -> tuple[Tensor, Tensor]:
        """Project the features onto the teacher's leading directions."""
        directions = torch.linalg.eigh(self.yy).eigenvectors[:, -rank:]
        return directions, directions.T

    def least_squares(self, rank: int) -> tuple[Tensor, Tensor]:
        """Solve reduced-rank regression: the best linear map of a rank."""
        # A little ridge: channels that are always zero have no inverse.
        ridge = 1e-6 * self.xx.diagonal().mean()
        one = torch.eye(len(self.xx), dtype=torch.float64)
        full = torch.linalg.solve(self.xx + ridge * one, self.xy)
        explained = full.T @ self.xx @ full
        directions = torch.linalg.eigh(explained).eigenvectors[:, -rank:]
        return full @ directions, directions.T


@torch.no_grad()
def collect_moments(model: HRFR, batches: Iterable[dict], update_bn: bool = False) -> list[Moments]:
    """Collect the moments of student and teacher on training images.

    Args:
        model: With its weights.
        batches: As a training loader gives them; read twice with ``update_bn``.
        update_bn: First take the statistics of batch normalisation anew: the teacher's are those of
            full-size images. Default: False.

    Returns:
        Of each module of ``SRRNeck.modules_by_index()``.
    """
    batches = list(batches)
    model.eval()
    if update_bn:
        update_statistics(
            (model.data_preprocessor(batch, True)['inputs'] for batch in batches), model
        )
    neck = model.srr_neck
    moments = [Moments() for _ in neck.modules_by_index()]
    for batch in batches:
        data = model.data_preprocessor(batch, True)
        maps = model.unrecovered(data['inputs'])
        targets = model.teach(data['data_samples'])[MAPS]
        for moment, (index, _) in zip(moments, neck.modules_by_index()):
            enlarged = F.interpolate(maps[index], scale_factor=neck.scale, mode='bilinear')
            moment.add(model.match(enlarged, targets, index), targets[index])
    return moments


def start_neck(model: HRFR, moments: list[Moments], way: str) -> dict[int, float]:
    """Initialise every module of SRR as a linear map, without training.

    Args:
        model: Its neck is changed.
        moments: Of :func:`collect_moments`.
        way: ``'lstsq'``, the best linear map of the bottleneck's rank; ``'projected'``, the
            features in as many leading directions of the teacher's; or ``'bilinear'``, the enlarged
            features themselves, for which the modules give way to a resize.

    Returns:
        By index of the map, the explained share of the variance of the teacher's features.

    Raises:
        ValueError: The neck adds to enlarged features.
    """
    neck, found = model.srr_neck, {}
    if neck.srr.residual:
        raise ValueError(
            'SRRNeck(residual=True) starts from the enlarged features; leave it out to start from '
            'a linear map of them'
        )
    for moment, (index, module) in zip(moments, neck.modules_by_index()):
        conv = module[0].conv
        if way == 'bilinear':
            down = up = torch.eye(len(moment.xx), dtype=torch.float64)
            resize = nn.Upsample(scale_factor=neck.scale, mode='bilinear')
            del module[:]
            module.append(resize)
        else:
            solve = dict(projected=moment.projected, lstsq=moment.least_squares)[way]
            down, up = solve(conv.out_channels)
            start_linear(module, down.to(conv.weight), up.to(conv.weight))
        found[index] = moment.r2(down, up)
    return found
