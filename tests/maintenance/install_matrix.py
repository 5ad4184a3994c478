# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
r"""Install mmhires in fresh environments and say on its page which work.

    python tests/maintenance/install_matrix.py --pythons ~/.pyenv/versions

Every row is what ``make install`` makes, whose last packages go in without
their dependencies, and then what the row adds or leaves out. It passes if
``python -m mmhires.compat`` runs, two iterations of a streets config train,
its prediction has the size of the image, it exports to ONNX and torch.export
(with requirements/deploy.txt), and, with MMPose, a pose config builds.
Environments are removed afterwards; a failing row does not stop the others.
``--rows`` runs some of them and keeps what the page says of the others.
"""

import argparse
import datetime
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/dsrl/dsrl_deeplabv3plus-r18s-d16_1xb4-300_streets-96x192-to-192x384.py'
BEGIN, END = '<!-- install matrix -->', '<!-- end of install matrix -->'
HEADER = (
    '| name | Python | torch | NumPy | mmcv | MMPose | exports | works | date |',
    '|---|---|---|---|---|---|---|---|---|',
)


@dataclass(frozen=True)
class Row:
    """One combination.

    Attributes:
        python: Version of the interpreter.
        torch: Version to install.
        extra: Requirements beside those of requirements/runtime.txt.
        mmcv: ``'lite'``, ``'full'`` or ``'onedl'``, the community's forks.
        pose: Whether MMPose and MMDetection are installed.
        export: Whether the model is exported, which needs torch 2.6.
    """

    python: str
    torch: str = '2.13.0'
    extra: tuple[str, ...] = ()
    mmcv: str = 'lite'
    pose: bool = True
    export: bool = True


NUMPY1 = ('numpy<2', 'opencv-python-headless<4.12')
ROWS = {
    'newest': Row('3.11'),
    'numpy-1': Row('3.11', extra=NUMPY1),
    'no-pose': Row('3.11', pose=False),
    'full-mmcv': Row('3.11', mmcv='full'),
    'onedl': Row('3.11', mmcv='onedl', pose=False),
    'py310-oldest': Row('3.10', torch='2.1.2', extra=NUMPY1, export=False),
    'export-oldest': Row('3.11', torch='2.6.0'),
    'py312': Row('3.12'),
    'py313': Row('3.13'),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Try the combinations that the page claims')
    parser.add_argument('--pythons', type=Path, help='folder of interpreters, as of pyenv')
    parser.add_argument('--work', type=Path, default=tempfile.gettempdir())
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=list(ROWS))
    parser.add_argument('--find-links', help='folder with a wheel of the full mmcv 2.1.0')
    parser.add_argument('--smoke', help=argparse.SUPPRESS)
    return parser.parse_args()


def steps(row: Row, find_links: str | None) -> list[list[str]]:
    """Arguments of pip after ``make install``, in order."""
    links = ['--find-links', find_links] if find_links else []
    install = ['install', '--quiet', '--no-compile']
    commands = []
    if row.extra:
        commands.append([*install, '--only-binary=:all:', *row.extra])
    if row.mmcv == 'full':
        commands.append(['uninstall', '--yes', 'mmcv-lite'])
        commands.append([*install, *links, '--no-deps', 'mmcv==2.1.0'])
    if not row.pose and row.mmcv != 'onedl':
        commands.append(['uninstall', '--yes', 'mmpose', 'mmdet'])
    return commands


def try_row(name: str, args: argparse.Namespace) -> str:
    """Install and try one row; its line of the table."""
    row = ROWS[name]
    folder = Path(args.work) / f'matrix-{name}'
    python = max(args.pythons.glob(f'{row.python}.*/bin/python'))
    result, versions = 'yes', {}
    try:
        # A copy, as an editable install writes into its source.
        source = folder / 'source'
        shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns('.*', 'work_dirs'))
        host = 'onedl' if row.mmcv == 'onedl' else 'openmmlab'
        # Another torch than the Makefile's is installed without its pins.
        torch = [f'TORCH=torch=={row.torch}'] * (row.torch != Row.torch)
        run(['make', 'install', f'PYTHON={python}', f'HOST={host}', *torch], source)
        python = source / '.venv/bin/python'
        for step in steps(row, args.find_links):
            run([python, '-m', 'pip', *step], source)
        run([python, '-m', 'mmhires.compat'], source)
        script = Path(__file__).relative_to(ROOT)
        run([python, script, '--smoke', 'out.json'], source)
        for out in ('out.onnx', 'out.pt2')[: 2 * row.export]:
            run([python, 'tools/deployment/export.py', CONFIG, 'work_dirs/iter_2.pth', out], source)
        versions = json.loads((source / 'out.json').read_text())
    except subprocess.CalledProcessError as error:
        last = (error.stderr or '').strip().splitlines()[-1:] or ['']
        result = f'no: {last[0][:120]}'.replace('|', '/')
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    mmcv = dict(lite='mmcv-lite', full='mmcv', onedl='onedl-mmcv')[row.mmcv]
    cells = (
        name,
        versions.get('python', row.python),
        versions.get('torch', row.torch),
        versions.get('numpy', '-'),
        f'{mmcv} {versions.get("mmcv", "")}'.strip(),
        versions.get('mmpose', '-'),
        'yes' if row.export else '-',
        result,
        datetime.date.today().isoformat(),
    )
    return f'| {" | ".join(cells)} |'


def run(command: list, folder: Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def smoke(out: str) -> None:
    """Run inside an environment: train, predict, build a pose model."""
    import mmhires  # noqa: F401, I001  before mmseg
    import platform
    from importlib.util import find_spec

    import mmcv
    import mmseg  # noqa: F401
    import numpy
    import torch
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    from mmengine.runner import Runner

    cfg = Config.fromfile(ROOT / CONFIG)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.update(size=(64, 128), length=4)
    cfg.model.data_preprocessor.update(size=(64, 128), min_size=16)
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.work_dir = 'work_dirs'
    runner = Runner.from_cfg(cfg)
    runner.train()
    batch = next(iter(runner.test_dataloader))
    label = runner.model.eval().test_step(batch)[0].pred_sem_seg.data
    if label.shape != (1, 64, 128):
        raise RuntimeError(f'predicted {tuple(label.shape)}, not (1, 64, 128)')
    versions = dict(
        python=platform.python_version(),
        torch=torch.__version__,
        numpy=numpy.__version__,
        mmcv=mmcv.__version__,
    )
    if find_spec('mmpose'):
        import mmpose

        pose = next((ROOT / 'configs/research').glob('dsrl_td-hm*.py'))
        init_default_scope('mmpose')
        MODELS.build(Config.fromfile(pose).model)
        versions['mmpose'] = mmpose.__version__
    Path(out).write_text(json.dumps(versions))


def write(lines: dict[str, str]) -> None:
    """Replace the rows that were tried in the page's table."""
    path = ROOT / 'docs/get_started/install.md'
    before, table, after = re.split(f'{BEGIN}|{END}', path.read_text())
    old = {line.split('|')[1].strip(): line for line in table.strip().splitlines()[2:]}
    old.update(lines)
    rows = [old[name] for name in ROWS if name in old]
    table = '\n'.join((*HEADER, *rows))
    path.write_text(f'{before}{BEGIN}\n{table}\n{END}{after}')


def main() -> None:
    args = parse_args()
    if args.smoke:
        smoke(args.smoke)
        return
    lines = {}
    for i, name in enumerate(args.rows):
        print(f'{i + 1}/{len(args.rows)} {name}', file=sys.stderr, flush=True)
        start = time.monotonic()
        lines[name] = try_row(name, args)
        print(f'{lines[name]} {time.monotonic() - start:.0f} s', flush=True)
        write(lines)


if __name__ == '__main__':
    main()
