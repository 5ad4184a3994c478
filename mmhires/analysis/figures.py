# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Plots as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from mmhires.utils.files import open_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: 'Figure', path: str | Path, **options) -> None:
    """Write a plot completely or not at all.

    Args:
        figure: Of Matplotlib.
        path: File to write; its ending says the format, PNG without one.
        **options: Of ``Figure.savefig``.

    Raises:
        OSError: The file cannot be written.
        ValueError: Matplotlib does not write this format.
    """
    kind = Path(path).suffix[1:] or 'png'
    with open_whole(path, 'wb') as file:
        figure.savefig(file, format=kind, **options)
