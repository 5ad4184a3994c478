# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Write the table of all configs, docs/zoo/configs.md, from the metafiles.

python tests/maintenance/config_table.py
"""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs/zoo/configs.md'
MARKS = '<!-- configs -->\n', '<!-- end of configs -->\n'
HEADER = (
    '| config | network sees | trained on | GMACs | parameters (M) '
    '| result | weights |\n|---|---|---|---|---|---|---|\n'
)


def result_of(result: dict) -> str:
    """A cell of the results: metrics, of what, and how they are known."""
    metrics = result.get('Metrics', {})
    source = result.get('Source')
    # The name of a metric ends in where it is from, for `mim search`.
    return ', '.join(f'{key.rsplit(" (", 1)[0]} {value}' for key, value in metrics.items()) + (
        f' ({result["Dataset"]}, {source if source == "measured" else "published"})'
    )


def row(folder: str, model: dict) -> str:
    """A line of the table."""
    said = model['Metadata']
    data = said['Training Data']
    results = [result_of(result) for result in model['Results'] if result.get('Metrics')]
    cells = (
        f'[{model["Name"]}](../../configs/{folder}/{model["Name"]}.py)',
        said['Input Size'],
        data if isinstance(data, str) else ', '.join(data),
        f'{said["FLOPs"] / 1e9:.3f}',
        f'{said["Parameters"] / 1e6:.3f}',
        '; '.join(results),
        ', '.join(f'`{name}`' for name in model.get('Alias', ())),
    )
    return f'| {" | ".join(cells)} |\n'


def table() -> str:
    """All rows, folder by folder."""
    return HEADER + ''.join(
        row(file.parent.name, model)
        for file in sorted(ROOT.glob('configs/*/metafile.yml'))
        for model in yaml.safe_load(file.read_text())['Models']
    )


def main() -> None:
    """Replace what stands between the marks."""
    before, rest = PAGE.read_text().split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    PAGE.write_text(f'{before}{MARKS[0]}{table()}{MARKS[1]}{after}')


if __name__ == '__main__':
    main()
