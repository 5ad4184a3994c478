# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The table and the page of the demo."""

import os.path as osp
from pathlib import Path

import numpy as np
import torch
from mmseg.structures import SegDataSample
from PIL import Image
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import nn

from mmhires.analysis import (
    accuracy_at,
    bootstrap_mean_iou,
    draw_pareto,
    standard_error,
    with_error,
)
from mmhires.analysis.page import data_uri, inline_svg, scene, write_page
from mmhires.evaluation import SuperResolutionMetric

FULL, PLAIN = 'full size', 'plain'
FED = 'fed '  # the full-size network on smaller images
ABOUT = {
    FULL: 'the network that was there, sees 192x384',
    PLAIN: 'fine-tuned on 96x192',
    'plain 128x256': 'fine-tuned on 128x256',
    'DSRL': 'sees 96x192; sub-pixel SSSR, SISR; logits of the full-size network',
    'HRFR': 'sees 96x192; features and logits of the full-size network',
}
COLUMNS = ('mIoU', 'thin', 'boundary', 'GMACs', 'ms')
DOCS = (
    'docs/get_started/first_results.md',
    'configs/demo/README.md',
    'docs/guides/choose.md',
    'docs/guides/budget.md',
    'docs/guides/adapt.md',
)


def table_rows(results: dict[str, dict]) -> list[dict]:
    """What a page shows of each network, errors over the images included."""
    measured = {name: accuracies(of) for name, of in results.items()}
    rows = []
    for name, of in results.items():
        images = len(of['areas'])
        lost = measured[FULL]['all'] - measured[name]['all']
        above = over_fed(results, name)
        short = drawn_text(lost, images)
        rows.append(
            dict(
                name=name,
                about=ABOUT.get(name, 'the same weights, not fine-tuned'),
                cells=[
                    *(drawn_text(draws, images) for draws in measured[name].values()),
                    f'{of["gmacs"]:.3f}',
                    f'{of["latency"]:.1f}',
                ],
                marked=name == 'DSRL',
                lost=float(lost[0]),
                lost_short=short,
                lost_text=short + (f' ({above:+.1f} at equal cost)' if above else ''),
            )
        )
    return rows


def over_fed(results: dict[str, dict], name: str) -> float | None:
    """Points above the full-size network, fed images of the same cost."""
    curve = [(of['gmacs'], of['metrics']['mIoU']) for other, of in results.items() if is_fed(other)]
    above = results[name]['metrics']['mIoU'] - accuracy_at(results[name]['gmacs'], curve)
    return None if is_fed(name) or np.isnan(above) else above


def is_fed(name: str) -> bool:
    """Whether it is the full-size network, at whatever input size."""
    return name == FULL or name.startswith(FED)


def accuracies(of: dict) -> dict[str, np.ndarray]:
    """MIoU of all and of thin classes, and boundary IoU, with their draws."""
    return dict(
        all=drawn_miou(of['areas']),
        thin=drawn_miou(of['areas'], thin_classes(of)),
        boundary=drawn_miou(of['BIoU']),
    )


def drawn_miou(areas: list, classes: list[int] | None = None) -> np.ndarray:
    """Mean IoU of the areas of each image, and its draws."""
    return bootstrap_mean_iou(np.array(areas)[None], classes, draws=1000)


def thin_classes(of: dict) -> list[int]:
    """Indices of the thin classes."""
    return [of['classes'].index(name) for name in of['groups']['thin']]


def drawn_text(draws: np.ndarray, images: int) -> str:
    """Write a number with its standard error, of which one image has none."""
    if not np.isfinite(draws[0]):  # none of the classes
        return ''
    return with_error(draws[0], standard_error(draws[1:], images))


def against_plain(results: dict[str, dict]) -> list[str]:
    """Sentences about the networks that cost nearly what plain costs."""
    sentences = []
    for name in results.keys() & {'DSRL', 'HRFR'}:
        ours, plain = results[name], results[PLAIN]
        more = np.subtract(*(drawn_miou(of['areas']) for of in (ours, plain)))
        cost = 100 * (ours['gmacs'] / plain['gmacs'] - 1)
        word = 'more' if more[0] >= 0 else 'fewer'
        more *= np.sign(more[0])
        sentences.append(
            f'{name} has {drawn_text(more, len(ours["areas"]))} points of mIoU {word} than plain, '
            f'for {cost:.0f} % more multiply-accumulates.'
        )
    return sorted(sentences)


def print_table(rows: list[dict], images: int) -> None:
    """Print the table."""
    table = Table(
        'network',
        'lost',
        *COLUMNS,
        box=SIMPLE,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        title=f'{images} streets that no training saw, at 192x384',
        caption='± standard error over the images; lost: points of mIoU '
        'against full size; ms: one thread',
    )
    for row in rows:
        table.add_row(row['name'], row['lost_short'], *row['cells'])
    Console().print(table)


def write_demo_page(
    results: dict, rows: list[dict], networks: dict[str, nn.Module], dataset, out_dir: str
) -> str:
    """Write ``index.html``, which needs no other file.

    Returns:
        The path of the page.
    """
    base = PLAIN if PLAIN in networks else 'fed 96x192'
    path = osp.join(out_dir, 'index.html')
    write_page(
        path,
        Path(__file__).with_name('demo.html'),
        DOCS,
        title='Half-size images: what is lost and what is won back',
        columns=COLUMNS,
        rows=rows,
        sentences=against_plain(results),
        plots=draw_plots(results, out_dir),
        scenes=[
            draw_scene(title, dataset, index, networks, base)
            for title, index in choose_scenes(results).items()
        ],
        base=base,
        chosen='DSRL' if 'DSRL' in networks else FULL,
        classes=list(zip(dataset.metainfo['classes'], dataset.metainfo['palette'])),
        sisr=rebuild(networks, dataset),
    )
    return path


def draw_plots(results: dict, out_dir: str) -> list[str]:
    """Accuracy against MACs and against latency, as SVG."""
    plots = []
    for cost, label in (('gmacs', 'GMACs'), ('latency', 'milliseconds an image')):
        path = osp.join(out_dir, f'{cost}.svg')
        points = {
            name.removeprefix(FED): (of[cost], of['metrics']['mIoU'])
            for name, of in results.items()
        }
        draw_pareto(
            points,
            label,
            'mIoU',
            path,
            [name.removeprefix(FED) for name in filter(is_fed, results)],
        )
        plots.append(inline_svg(path))
    return plots


def choose_scenes(results: dict) -> dict[str, int]:
    """Three scenes in which DSRL finds most of what plain loses, three as
    they come."""
    count = min(len(of['areas']) for of in results.values())
    scenes = {f'street {index}': index for index in range(min(3, count))}
    if 'DSRL' in results:
        thin = thin_classes(results['DSRL'])
        found, lost = (
            np.array(results[name]['areas'])[:, 0, thin].sum(1) for name in ('DSRL', PLAIN)
        )
        most = np.argsort(lost - found)[:3].tolist()
        scenes = {f'street {i}, chosen': i for i in most} | scenes
    return scenes


def draw_scene(title: str, dataset, index: int, networks: dict[str, nn.Module], base: str) -> dict:
    """One street as each network sees it; see :func:`scene`."""
    sample = dataset[index]
    image = sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    truth = sample['data_samples'].gt_sem_seg.data[0].numpy()
    labels = {
        name: predict(network, sample).pred_sem_seg.data[0].numpy()
        for name, network in networks.items()
    }
    return scene(title, image, truth, labels, dataset.metainfo['palette'], base)


def predict(network: nn.Module, sample: dict) -> SegDataSample:
    """Predict one sample of the dataset."""
    with torch.no_grad():
        return network.test_step(
            dict(inputs=[sample['inputs']], data_samples=[sample['data_samples']])
        )[0]


def rebuild(networks: dict[str, nn.Module], dataset, count: int = 50) -> dict | None:
    """What SISR makes of small images, against bicubic interpolation."""
    if 'DSRL' not in networks:
        return None
    metric, count = SuperResolutionMetric(scale=2), min(count, len(dataset))
    for index in reversed(range(count)):
        sample = dataset[index]
        predicted = predict(networks['DSRL'], sample)
        metric.process(dict(inputs=[sample['inputs']]), [predicted.to_dict()])
    # Of the first street, which came last.
    truth, rebuilt = (
        pixels.clamp(0, 255).byte().permute(1, 2, 0).numpy()[..., ::-1]
        for pixels in (sample['inputs'], predicted.pred_img.data)
    )
    image = Image.fromarray(truth)
    bicubic = image.reduce(2).resize(image.size, Image.Resampling.BICUBIC)
    measured = metric.evaluate(count)
    return dict(
        pictures=[data_uri(x) for x in (truth, rebuilt, np.array(bicubic))],
        ours=f'{measured["PSNR"]:.2f}',
        bicubic=f'{measured["PSNR.bicubic"]:.2f}',
        count=count,
    )
