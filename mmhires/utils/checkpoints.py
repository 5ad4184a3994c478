# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Writing of checkpoint files."""

import io
import os

from .files import open_whole


def write_checkpoint(content: dict, file: str | os.PathLike) -> None:
    """Write a checkpoint completely or not at all.

    Args:
        content: Weights, as ``state_dict``, and ``meta``.
        file: The file; its directory is made if needed.

    Raises:
        OSError: It cannot be written; a file of that name is as it was.
    """
    import torch

    # PyTorch's own writer says of a full disk that a position is unexpected.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
    with open_whole(file, 'wb') as stream:
        stream.write(buffer.getbuffer())
