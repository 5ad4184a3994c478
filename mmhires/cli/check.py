# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""List everything in a config and its data that would stop training.

mmhires check CONFIG
"""

import argparse
import logging
import sys

from .options import add_config, add_overrides, at_least, read_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of :func:`run`."""
    add_config(parser)
    add_overrides(parser)
    add = parser.add_argument
    add('--samples', type=at_least(0), default=8, help='labels to look into')
    add('--verbose', action='store_true', help='also what could not be tried, and why')


def run(args: argparse.Namespace) -> int:
    """Print problems and warnings.

    Returns:
        1 if there is a problem, 0 otherwise.

    Raises:
        ValueError: The config cannot be read.
    """
    from mmhires.check import check_config
    from mmhires.dryrun.attempts import LOGGER

    if args.verbose:
        logging.basicConfig(format='%(message)s')
        LOGGER.setLevel(logging.INFO)
    config = read_config(args)
    findings = check_config(config, args.cfg_options, args.samples)
    counts = dict(problem=0, warning=0)
    # Labels last, beside the counts: nothing else would show in a training.
    findings.sort(key=lambda x: (x.severity, x.kind == 'labels'))
    for finding in findings:
        if (finding.kind, finding.key) == ('config', 'file'):
            raise ValueError(f'{config}: {finding.message}')
        counts[finding.severity] += 1
        remedy = finding.remedy and f'    do:   {finding.remedy}\n'
        sys.stdout.write(f'{finding.severity} ({finding.kind}) {finding.key}\n')
        sys.stdout.write(f'    seen: {finding.message}\n{remedy}')
    sys.stdout.write(f'{config}: {counts["problem"]} problems, {counts["warning"]} warnings\n')
    return int(counts['problem'] > 0)
