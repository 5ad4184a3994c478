# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
from .compare import save_initial_weights, train_and_test
from .complexity import count_macs, count_params, network_input
from .latency import Latency, measure_latency

__all__ = [
    'Latency', 'count_macs', 'count_params', 'measure_latency',
    'network_input', 'save_initial_weights', 'train_and_test'
]
