# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""How much of its network's own rate the stream of a predictor reaches.

    python tests/maintenance/stream_rate.py model.onnx STREETS --threads 1

The network alone and the stream, decoding and labels included, run in one
process, in turns. A core beside those of the network is what the rest needs.
"""

import argparse
import sys
import time
from itertools import cycle, islice
from statistics import median

import torch

from mmhires.deploy import Predictor
from mmhires.utils.inputs import find_inputs
from mmhires.utils.progress import track


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('model', help='.onnx or .pt2 that export.py wrote')
    parser.add_argument('input', help='a picture, or a directory of them')
    parser.add_argument('--count', type=int, default=200, help='pictures to stream')
    parser.add_argument('--turns', type=int, default=4, help='pieces of the stream')
    parser.add_argument('--runtime', default='auto')
    parser.add_argument('--precision')
    parser.add_argument('--threads', type=int, help='of the network')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    predictor = Predictor(
        args.model, threads=args.threads, runtime=args.runtime, precision=args.precision
    )
    torch.set_num_threads(args.threads or torch.get_num_threads())
    files = cycle(find_inputs(args.input))
    jobs = [predictor.prepare(next(files))]
    alone, streaming = [], 0.0
    for _ in track(range(args.turns)):
        for _ in range(1 + args.count // (4 * args.turns)):
            begin = time.perf_counter()
            predictor.run(jobs)
            alone.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        for _, result in predictor.stream(islice(files, args.count // args.turns)):
            if isinstance(result, Exception):
                sys.exit(f'stream_rate.py: {result}')
        streaming += time.perf_counter() - begin
    count = args.count // args.turns * args.turns
    own, rate = 1 / median(alone), count / streaming
    print(
        f'{predictor.runtime}: the network alone {own:.2f} images/s, '
        f'a stream of {count} {rate:.2f} images/s: {rate / own:.1%}'
    )


if __name__ == '__main__':
    main()
