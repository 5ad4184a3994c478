# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import importlib.util

import numpy as np
import pytest
import torch


@pytest.fixture
def parity(shared_dir):
    """Makes the authors' weights, input and output of a fixture."""
    folder = shared_dir / 'reference/parity'
    spec = importlib.util.spec_from_file_location('fill', folder / 'fill.py')
    fill = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fill)

    def parity(name):
        data = np.load(folder / f'{name}.npz')
        shapes = (
            tuple(int(n) for n in shape.strip('(),').split(',') if n)
            for shape in data['shapes'].tolist()
        )
        state_dict = {key: torch.zeros(shape) for key, shape in zip(data['keys'].tolist(), shapes)}
        fill.fill(state_dict)
        return (state_dict, fill.image(data['input_shape']), torch.from_numpy(data['output']))

    return parity
