# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Time the models of several configs in turns.

    mmhires benchmark BASELINE.py OURS.py --shape 512 512

The models take turns in one process, with random weights, in the inference
form, batch norm not folded into the convolutions. Preprocessing, resizing the
logits to the image and argmax are not timed. The last columns compare with the
first config. Give --image instead of --shape where the models work on
differently reduced images of one size, as HRFR and its teacher.

--train times steps of training instead, preprocessing included, with the
memory that they take beside weights and optimizer. --full-size adds the model
of the first config without its preprocessor's reduction:

    mmhires benchmark BASELINE.py DSRL.py --image 512 1024 --full-size \
        --train --batch 2
"""

import argparse

from .options import add_configs, add_overrides, at_least, read_configs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_configs(parser)
    add_overrides(parser)
    size = parser.add_mutually_exclusive_group(required=True).add_argument
    sides = dict(nargs=2, type=int, metavar=('H', 'W'))
    size('--shape', help='network input in pixels', **sides)
    size(
        '--image',
        help='full-size image, which each model gets reduced by the scale of its data preprocessor',
        **sides,
    )
    add = parser.add_argument
    add('--full-size', action='store_true', help='the first model on the full-size image as well')
    add('--train', action='store_true', help='training steps, of segmentors')
    add('--batch', type=at_least(1), default=1, help='images')
    add('--precision', choices=['fp32', 'bf16'], default='fp32', help='bf16 is autocast')
    add('--repeats', type=at_least(1), default=20, help='timed turns')
    add('--warmup', type=at_least(0), default=3, help='turns before them')
    add('--device', default='cpu', help="'cpu', 'cuda', ...")
    add('--threads', type=at_least(1), help='of PyTorch, on a CPU')
    add(
        '--out',
        help='folder for a JSON and a CSV file, named by the device, precision and PyTorch version',
    )


def run(args: argparse.Namespace) -> None:
    """Time, print a table and write the requested files."""
    import torch

    from mmhires.analysis import count_macs, measure_latency, measure_training, network_input
    from mmhires.deploy import strip

    if args.threads:
        torch.set_num_threads(args.threads)
    models, images = build_models(args)
    shapes = {
        name: (args.batch, *network_input(model, images[name])[1:])
        for name, model in models.items()
    }
    macs = {name: count_macs(model, shapes[name][1:]) for name, model in models.items()}
    options = dict(
        repeats=args.repeats, warmup=args.warmup, device=args.device, bf16=args.precision == 'bf16'
    )
    if args.train:
        measured = measure_training(models, images, args.batch, **options)
    else:
        models = {name: strip(model) for name, model in models.items()}
        measured = measure_latency(models, shapes, **options)
    results = [
        dict(
            config=name,
            input='x'.join(map(str, shapes[name][2:])),
            gmacs=macs[name] / 1e9,
            median_ms=cost.median,
            low_ms=cost.low,
            high_ms=cost.high,
            peak_mib=cost.memory / 2**20,
        )
        for name, cost in measured.items()
    ]
    report(args, results)


def build_models(args: argparse.Namespace) -> tuple[dict, dict]:
    """Build models by name, with the sizes of their images."""
    from mmhires.analysis import build_model, distinct_names
    from mmhires.utils.ratio import as_ratio, enlarged_side

    configs = read_configs(args)
    models, images = {}, {}
    for name, path in zip(distinct_names(configs), configs):
        models[name] = build_model(path, args.cfg_options)
        ratio = as_ratio(getattr(models[name].data_preprocessor, 'scale', 1))
        images[name] = args.image or [enlarged_side(side, ratio) for side in args.shape]
    if args.full_size:
        first = next(iter(models))
        full = f'{first}, full size'
        models[full] = build_model(configs[0], args.cfg_options)
        if getattr(models[full].data_preprocessor, 'scale', 1) == 1:
            raise ValueError(f'--full-size: {first} reduces no images')
        models[full].data_preprocessor.scale = 1
        images[full] = images[first]
    return models, images


def report(args: argparse.Namespace, results: list[dict]) -> None:
    """Print a table and write the requested files."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from mmhires.analysis import device_name, write_records

    table = Table(
        'config', 'input', 'GMACs', 'ms', 'quartiles', 'MiB', 'fewer MACs', 'faster', 'less memory'
    )
    first = results[0]
    for row in results:
        quartiles = f'{row["low_ms"]:.1f} - {row["high_ms"]:.1f}'
        table.add_row(
            row['config'],
            row['input'],
            f'{row["gmacs"]:.3f}',
            f'{row["median_ms"]:.1f}',
            quartiles,
            f'{row["peak_mib"]:.1f}',
            *(f'{first[key] / row[key]:.2f}x' for key in ('gmacs', 'median_ms', 'peak_mib')),
        )
    console = Console(width=160)
    console.print(table)
    what = 'training' if args.train else 'inference'
    size = f'{"x".join(map(str, args.image or args.shape))} {"images" if args.image else "inputs"}'
    settings = dict(size=size, batch=f'batch {args.batch}', device=device_name(args.device))
    settings.update(precision=args.precision, torch=f'torch {torch.__version__}')
    console.print(', '.join((what, *settings.values(), f'{args.repeats} repeats')))
    if args.out:
        name = first['config'].replace('/', '-')
        path = write_records(args.out, f'{what}_{name}', settings, results)
        console.print(f'{path}.json, .csv', soft_wrap=True)
