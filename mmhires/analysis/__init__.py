# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .build import build_model, config_name, distinct_names, forward_tensor
from .compare import (
    image_areas,
    initial_weights,
    save_initial_weights,
    test_weights,
    train_and_test,
)
from .complexity import (
    count_branches,
    count_macs,
    count_outputs,
    count_params,
    count_training_branches,
    network_input,
)
from .curves import draw_curves
from .latency import Latency, measure_in_turns, measure_latency
from .memory import PeakMemory
from .pareto import accuracy_at, choose, draw_pareto, pareto_front, read_results
from .records import device_name, write_records
from .recovery import collect_moments, start_neck
from .splits import on_split
from .statistics import (
    Difference,
    block_areas,
    bootstrap_difference,
    bootstrap_mean_iou,
    paired_difference,
    standard_error,
    with_error,
)
from .training import measure_training, random_batch

__all__ = [
    'Difference',
    'Latency',
    'PeakMemory',
    'accuracy_at',
    'block_areas',
    'bootstrap_difference',
    'bootstrap_mean_iou',
    'build_model',
    'choose',
    'collect_moments',
    'config_name',
    'count_branches',
    'count_macs',
    'count_outputs',
    'count_params',
    'count_training_branches',
    'device_name',
    'distinct_names',
    'draw_curves',
    'draw_pareto',
    'forward_tensor',
    'image_areas',
    'initial_weights',
    'measure_in_turns',
    'measure_latency',
    'measure_training',
    'network_input',
    'on_split',
    'paired_difference',
    'pareto_front',
    'random_batch',
    'read_results',
    'save_initial_weights',
    'standard_error',
    'start_neck',
    'test_weights',
    'train_and_test',
    'with_error',
    'write_records',
]
