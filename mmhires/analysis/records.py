# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Measurements as files that name the machine."""

import csv
import os.path as osp
import platform
import re
from pathlib import Path

import torch
from mmengine.fileio import dump
from mmengine.utils import mkdir_or_exist

from mmhires.utils.files import open_whole


def device_name(device: str = 'cpu') -> str:
    """Name the processor or GPU.

    Args:
        device: ``'cpu'`` or a CUDA device. Default: ``'cpu'``.

    Returns:
        Model of the GPU, or of the CPU with the threads PyTorch uses.
    """
    if device.startswith('cuda'):
        return torch.cuda.get_device_name(device)
    info = Path('/proc/cpuinfo')
    models = re.findall(
        r'^model name\s*:\s*(.+)$', info.read_text() if info.is_file() else '', re.M
    )
    name = [*models, platform.processor() or platform.machine()][0]
    threads = torch.get_num_threads()
    return f'CPU {name}, {threads} thread{"s" * (threads > 1)}'


def write_records(folder: str, what: str, settings: dict, results: list[dict]) -> str:
    """Write measurements as JSON and as CSV.

    The files are named after ``what`` and the values of ``settings``. The JSON holds ``settings``
    and ``results``, the CSV a line of both for each result.

    Args:
        folder: Made where it is not.
        what: What was measured of what, for the names of the files.
        settings: What all results share, as the device.
        results: All with the same keys.

    Returns:
        Path of the files without ``.json`` and ``.csv``.
    """
    mkdir_or_exist(folder)
    words = [
        re.sub(r'[^\w.+]+', '-', str(word)).strip('-').lower()
        for word in (what, *settings.values())
    ]
    path = osp.join(folder, '_'.join(words))
    with open_whole(f'{path}.json') as file:
        dump(dict(settings, results=results), file, 'json', indent=2)
    with open_whole(f'{path}.csv', newline='') as file:
        writer = csv.DictWriter(file, [*results[0], *settings])
        writer.writeheader()
        writer.writerows({**result, **settings} for result in results)
    return path
