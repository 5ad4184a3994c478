# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Encoding layer that does not store a residual for every pixel and code."""

from contextlib import nullcontext

import torch
from mmseg.models.utils import Encoding as PlainEncoding
from torch import Tensor


class Encoding(PlainEncoding):
    r"""Soft assignment of pixels to code words, with sums of residuals.

    `Context Encoding for Semantic Segmentation <https://arxiv.org/abs/1803.08904>`_, equation 1:
    with :math:`r_{ik} = x_i - d_k`,

    .. math::
        e_k = \sum_i a_{ik} r_{ik}, \quad
        a_{ik} = \mathrm{softmax}_k(s_k |r_{ik}|^2).

    Upstream's layer holds all :math:`r_{ik}`, a tensor N x HW x K x C. Here both sums are expanded
    into matrix products, :math:`|r_{ik}|^2 = |x_i|^2 - 2 x_i d_k + |d_k|^2` and :math:`e_k = \sum_i
    a_{ik} x_i - d_k \sum_i a_{ik}`: the same numbers from the same parameters, in at least float32
    whatever autocast says.

    Args:
        channels: Width C of the features.
        num_codes: Number K of code words.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C, H, W)`` to ``(N, K, C)`` in the parameters' dtype."""
        # autocast does not know the meta device
        context = nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False)
        dtype = torch.promote_types(x.dtype, torch.float32)
        with context:
            x = x.flatten(2).to(dtype)
            codewords = self.codewords.to(dtype)
            of_x = x.square().sum(1, keepdim=True)
            of_codes = codewords.square().sum(1, keepdim=True)
            distance = of_x - 2 * (codewords @ x) + of_codes
            weights = (self.scale.to(dtype)[:, None] * distance).softmax(1)
            shares = weights.sum(2, keepdim=True)
            encoded = weights @ x.transpose(1, 2) - shares * codewords
        return encoded.to(self.codewords.dtype)
