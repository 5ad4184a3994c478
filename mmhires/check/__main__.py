# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""``python -m mmhires.check CONFIG``: all that would fail, at once."""
import argparse
import logging
import sys

from mmengine.config import DictAction


def main(argv: list[str] | None = None) -> int:
    """Print problems and warnings.

    Args:
        argv (list[str], optional): Arguments. Default: those of the process.

    Returns:
        int: 1 if there is a problem, 0 otherwise.
    """
    parser = argparse.ArgumentParser(
        prog='python -m mmhires.check',
        description='Find what in a config would fail')
    parser.add_argument('config')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='key=value ...')
    parser.add_argument(
        '--samples', type=int, default=8, help='labels to look into, 8')
    parser.add_argument(
        '--verbose',
        action='store_true',
        help='also what could not be tried, and why')
    args = parser.parse_args(argv)
    from . import check_config  # after --help, as it takes seconds
    from .problem import LOGGER
    if args.verbose:
        logging.basicConfig(format='%(message)s')
        LOGGER.setLevel(logging.INFO)
    found = check_config(args.config, args.cfg_options, args.samples)
    counts = dict(problem=0, warning=0)
    # Labels last, beside the counts: nothing else would show in a training.
    for one in sorted(
            found, key=lambda one: (one.warning, one.kind == 'labels')):
        if one.kind == 'config':  # nothing else was seen
            sys.stdout.write(f'{args.config}: {one.key}: {one.seen}'
                             f'{one.do and f"; {one.do}"}\n')
            return 1
        title = 'warning' if one.warning else 'problem'
        counts[title] += 1
        sys.stdout.write(f'{title} ({one.kind}) {one.key}\n'
                         f'    seen: {one.seen}\n' +
                         (one.do and f'    do:   {one.do}\n'))
    sys.stdout.write(f'{args.config}: {counts["problem"]} problems, '
                     f'{counts["warning"]} warnings\n')
    return int(counts['problem'] > 0)


if __name__ == '__main__':
    sys.exit(main())
