# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Draw the picture of the first page from what the demo has trained.

    make demo
    python tests/maintenance/gain_picture.py

Writes ``docs/images/street.jpg``, a test street, and ``docs/images/gain.jpg``:
the street, what the plain network and DSRL predict, and the pixels on which
they differ. It prints how many these are, of this street and of all.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import load_checkpoint
from PIL import Image, ImageDraw, ImageFont

import mmhires  # noqa: F401  # before the host packages
from mmhires.registry import DATASETS, MODELS

ROOT = Path(__file__).resolve().parents[2]
PLAIN = 'deeplabv3plus-r18s_1xb4-400_streets-96x192'
CONFIGS = dict(plain=PLAIN, DSRL=f'dsrl_{PLAIN}-to-192x384')
FIXED, BROKEN = (0, 160, 60), (215, 25, 28)
TITLES = (
    'a street that no training saw',
    'plain, fine-tuned on 96x192',
    'DSRL, taught by the full-size network',
    'green: fixed by DSRL, red: broken by it',
)
ENLARGED = 2


def load(name: str, folder: Path) -> tuple[torch.nn.Module, Config]:
    """The trained network of a config of the demo, and the config."""
    cfg = Config.fromfile(ROOT / f'configs/demo/{CONFIGS[name]}.py')
    (weights,) = folder.glob(f'{name}_*/iter_*.pth')
    cfg.model.pop('teacher_ckpt', None)
    model = MODELS.build(cfg.model)
    load_checkpoint(model, str(weights), map_location='cpu', strict=True)
    return model.eval(), cfg


def predict(model: torch.nn.Module, sample: dict) -> np.ndarray:
    """Labels ``(H, W)`` of one sample."""
    batch = {key: [value] for key, value in sample.items()}
    with torch.no_grad():
        return model.test_step(batch)[0].pred_sem_seg.data[0].numpy()


def differences(labels: dict, truth: np.ndarray) -> tuple[np.ndarray, ...]:
    """Pixels ``(H, W)`` that DSRL fixes, and those that it breaks."""
    right = {name: label == truth for name, label in labels.items()}
    known = truth != 255
    return (right['DSRL'] & ~right['plain'] & known, right['plain'] & ~right['DSRL'] & known)


def painted(image: np.ndarray, colors: np.ndarray, share: float = 0.65) -> np.ndarray:
    """Colours ``(H, W, 3)`` over the image."""
    return (share * colors + (1 - share) * image).astype(np.uint8)


def draw(
    image: np.ndarray, labels: dict, marks: tuple[np.ndarray, ...], palette: np.ndarray
) -> Image.Image:
    """Four panels with their titles."""
    grey = np.repeat(image.mean(2, keepdims=True), 3, 2) // 2 + 110
    for mark, color in zip(marks, (FIXED, BROKEN)):
        grey[mark] = color
    panels = (
        image,
        *(painted(image, palette[label]) for label in labels.values()),
        grey.astype(np.uint8),
    )
    height, width = (ENLARGED * side for side in image.shape[:2])
    font, bar, gap = ImageFont.load_default(24), 34, 8
    sheet = Image.new('RGB', (2 * width + gap, 2 * (height + bar) + gap), 'white')
    pen = ImageDraw.Draw(sheet)
    for i, (title, panel) in enumerate(zip(TITLES, panels)):
        x, y = i % 2 * (width + gap), i // 2 * (height + bar + gap)
        pen.text((x + 2, y + 3), title, 'black', font)
        sheet.paste(Image.fromarray(panel).resize((width, height), 0), (x, y + bar))
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--demo', type=Path, default=ROOT / 'demo_out')
    parser.add_argument('--out', type=Path, default=ROOT / 'docs/images')
    parser.add_argument('--images', type=int, help='test streets, from first')
    args = parser.parse_args()
    init_default_scope('mmseg')
    loaded = {name: load(name, args.demo) for name in CONFIGS}
    cfg = loaded['plain'][1].test_dataloader.dataset
    dataset = DATASETS.build(dict(cfg, cache=str(args.demo / 'streets')))
    palette = np.array(dataset.metainfo['palette'], np.uint8)
    shares, best = [], (0,)
    count = args.images or len(dataset)
    for index in range(count):
        sample = dataset[index]
        truth = sample['data_samples'].gt_sem_seg.data[0].numpy()
        labels = {name: predict(of[0], sample) for name, of in loaded.items()}
        marks = differences(labels, truth)
        shares.append([100 * mark.mean() for mark in marks])
        gain = shares[-1][0] - shares[-1][1]
        if gain > best[0]:
            image = sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
            best = gain, index, image, labels, marks
    _, index, image, labels, marks = best
    args.out.mkdir(exist_ok=True)
    Image.fromarray(image).save(args.out / 'street.jpg', quality=92)
    draw(image, labels, marks, palette).save(args.out / 'gain.jpg', quality=85, optimize=True)
    print(
        f'street {index}: {shares[index][0]:.1f} % of the pixels fixed, '
        f'{shares[index][1]:.1f} % broken; all {count}: '
        '{:.2f} % and {:.2f} %'.format(*np.mean(shares, 0))
    )


if __name__ == '__main__':
    sys.exit(main())
