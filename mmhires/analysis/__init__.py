# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Costs and results of configs, measured and compared."""

from mmhires.utils.lazy import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    build='build_model config_name distinct_names forward_tensor',
    compare='image_areas initial_weights save_initial_weights test_weights train_and_test',
    complexity='count_branches count_macs count_outputs count_params count_training_branches '
    'network_input',
    curves='draw_curves',
    latency='Latency measure_in_turns measure_latency',
    memory='PeakMemory',
    pareto='accuracy_at choose draw_pareto pareto_front read_results',
    records='device_name write_records',
    recovery='collect_moments start_neck',
    splits='on_split',
    statistics='Difference block_areas bootstrap_difference bootstrap_mean_iou paired_difference '
    'standard_error with_error',
    training='measure_training random_batch',
)
