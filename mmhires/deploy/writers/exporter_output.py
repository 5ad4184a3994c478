# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What PyTorch's exporters print."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from unittest import mock

import torch


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the exporter's output.

    Both print the graph, some thousand lines, before they raise an error.
    """
    before = logging.root.manager.disable
    logging.disable()
    try:
        with (
            warnings.catch_warnings(),
            torch.no_grad(),
            contextlib.redirect_stderr(io.StringIO()),
            mock.patch.object(torch._C, '_jit_onnx_log', create=True),
        ):
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)
