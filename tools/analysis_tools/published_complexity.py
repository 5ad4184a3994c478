# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Print every published complexity beside that of our model, as Markdown.

    python tools/analysis_tools/published_complexity.py

Papers count in different ways; the convention of a row is the one that comes
nearest to what is printed. Reproduced is what rounds to the published digits.
"""
import argparse
import os.path as osp

from mmengine.logging import MMLogger

from mmhires.analysis import PUBLISHED, reproduce

CONFIGS = osp.join(osp.dirname(__file__), '..', '..', 'configs')


def main() -> None:
    argparse.ArgumentParser(
        description='Print published complexities beside ours').parse_args()
    # It would warn of each change between MMSegmentation, MMPose and others.
    MMLogger.get_current_instance().setLevel('ERROR')
    print('| model | input | published | convention | ours | difference | '
          'reproduced | note |')
    print('|---|---|---|---|---|---|---|---|')
    for row in PUBLISHED:
        ours, reproduced = reproduce(row, CONFIGS)
        print(
            f'| {row.model} | {row.size[0]}x{row.size[1]} | {row.value} | '
            f'{row.convention}{", ratio" if row.ratio_of else ""} | '
            f'{ours:.4f} | {100 * (ours / float(row.value) - 1):+.2f} % | '
            f'{"yes" if reproduced else "no"} | {row.note} |',
            flush=True)


if __name__ == '__main__':
    main()
