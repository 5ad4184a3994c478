# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
import csv
import json
import re

from mmhires.analysis import device_name, write_records


def test_files_are_named_after_the_settings_and_hold_all_of_them(tmp_path):
    settings = dict(device='CPU AMD EPYC, 2 threads', precision='bf16', torch='torch 2.13.0+cpu')
    results = [dict(config='a', median_ms=1.5), dict(config='b', median_ms=2.0)]
    path = write_records(str(tmp_path / 'new'), 'inference', settings, results)
    assert path == str(tmp_path / 'new/inference_cpu-amd-epyc-2-threads_bf16_torch-2.13.0+cpu')
    with open(f'{path}.json') as file:
        assert json.load(file) == dict(settings, results=results)
    with open(f'{path}.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['median_ms'] for row in rows] == ['1.5', '2.0']
    assert rows[1]['config'] == 'b' and rows[1]['precision'] == 'bf16'


def test_a_cpu_says_its_threads():
    assert re.fullmatch(r'CPU .+, 1 thread', device_name())
