# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""The table and the page of the demo."""
import base64
import io
import os.path as osp

import numpy as np
import torch
from jinja2 import Environment, FileSystemLoader
from mmseg.structures import SegDataSample
from PIL import Image, ImageDraw
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from torch import nn

from mmhires.analysis import (
    bootstrap_mean_iou,
    draw_pareto,
    standard_error,
)
from mmhires.evaluation import SuperResolutionMetric
from mmhires.utils.files import open_whole

LOST = 'plain'  # what it loses is what the methods are to win back
ABOUT = {
    'full size': 'the network that was there, sees 192x384',
    'not fine-tuned': 'the same weights, see 96x192',
    'plain': 'fine-tuned on 96x192',
    'DSRL': 'sub-pixel SSSR, SISR; logits of the full-size network',
    'HRFR': 'features and logits of the full-size network',
}
SHOWN = ('image', 'truth', 'plain', 'full size', 'DSRL', 'HRFR')
COLUMNS = ('mIoU', 'thin', 'boundary', 'won back', 'GMACs', 'ms')


def table_rows(results: dict[str, dict]) -> list[list[str]]:
    """Cells of each network, with the standard error over the images."""
    measured = {name: accuracies(of) for name, of in results.items()}
    rows = []
    for name, of in results.items():
        images = len(of['areas'])
        cells = [
            with_error(draws, images, 1) for draws in measured[name].values()
        ]
        rows.append([
            name, *cells,
            won_back(measured, name, images), f'{of["gmacs"]:.3f}',
            f'{of["latency"]:.1f}'
        ])
    return rows


def accuracies(of: dict) -> dict[str, np.ndarray]:
    """MIoU of all and of thin classes, and boundary IoU, with their draws."""
    areas, bands = (np.array(of[key])[None] for key in ('areas', 'BIoU'))
    return dict(
        all=bootstrap_mean_iou(areas, draws=1000),
        thin=bootstrap_mean_iou(areas, thin_classes(of), draws=1000),
        boundary=bootstrap_mean_iou(bands, draws=1000))


def thin_classes(of: dict) -> list[int]:
    """Indices of the thin classes."""
    return [of['classes'].index(name) for name in of['groups']['thin']]


def won_back(measured: dict, name: str, images: int) -> str:
    """Share of what the plain network loses, with its standard error."""
    if LOST not in measured or name in ('full size', LOST):
        return ''
    ours, plain, full = (
        measured[key]['all'] for key in (name, LOST, 'full size'))
    lost = full - plain
    share = 100 * (ours - plain) / np.where(lost, lost, np.nan)
    return with_error(share, images, 0)


def with_error(draws: np.ndarray, images: int, digits: int) -> str:
    """A number with its standard error, of which one image has none."""
    if not np.isfinite(draws[0]):  # none of the classes, or nothing was lost
        return ''
    text, error = f'{draws[0]:.{digits}f}', standard_error(draws[1:], images)
    return f'{text} ± {error:.{digits}f}' if error > 0 else text


def print_table(rows: list[list[str]], images: int) -> None:
    """Print the table."""
    table = Table(
        'network',
        *COLUMNS,
        box=SIMPLE,
        padding=0,
        pad_edge=False,
        title=f'{images} streets that no training saw, at 192x384',
        caption='± standard error over the images; won back: % of the '
        'mIoU that plain loses; ms: one thread')
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def write_page(results: dict, rows: list[list[str]],
               networks: dict[str, nn.Module], dataset, out_dir: str) -> str:
    """Write ``index.html``, which needs no other file, and a picture.

    Returns:
        str: The path of the page.
    """
    scenes = [
        dict(title=title, layers=draw_layers(dataset, index, networks))
        for title, index in choose_scenes(results).items()
    ]
    tile(scenes[0]['layers']).save(
        osp.join(out_dir, 'comparison.jpg'), quality=90)
    for scene in scenes:
        scene['layers'] = {
            name: data_uri(pixels)
            for name, pixels in scene['layers'].items()
        }
    template = Environment(
        loader=FileSystemLoader(osp.dirname(osp.abspath(__file__))),
        autoescape=True).get_template('page.html')
    path = osp.join(out_dir, 'index.html')
    html = template.render(
        columns=COLUMNS,
        rows=rows,
        about=ABOUT,
        plots=draw_plots(results, out_dir),
        scenes=scenes,
        sisr=rebuild(networks, dataset),
        left=LOST if LOST in networks else 'not fine-tuned',
        right='DSRL' if 'DSRL' in networks else 'full size')
    with open_whole(path, encoding='utf-8') as file:
        file.write(html)
    return path


def draw_plots(results: dict, out_dir: str) -> list[str]:
    """Accuracy against MACs and against latency, as SVG."""
    plots = []
    for cost, label in (('gmacs', 'GMACs'), ('latency',
                                             'milliseconds an image')):
        path = osp.join(out_dir, f'{cost}.svg')
        points = {
            name: (of[cost], of['metrics']['mIoU'])
            for name, of in results.items()
        }
        draw_pareto(points, label, 'mIoU', path)
        with open(path, encoding='utf-8') as file:
            plots.append(file.read().partition('<svg')[2])
    return [f'<svg{plot}' for plot in plots]


def choose_scenes(results: dict) -> dict[str, int]:
    """Three scenes in which DSRL finds most of what plain loses, three as
    they come."""
    count = min(len(of['areas']) for of in results.values())
    scenes = {f'street {index}': index for index in range(min(3, count))}
    if 'DSRL' in results:
        thin = thin_classes(results['DSRL'])
        found, lost = (
            np.array(results[name]['areas'])[:, 0, thin].sum(1)
            for name in ('DSRL', LOST))
        most = np.argsort(lost - found)[:3].tolist()
        scenes = {f'street {i}, chosen': i for i in most} | scenes
    return scenes


def draw_layers(dataset, index: int,
                networks: dict[str, nn.Module]) -> dict[str, np.ndarray]:
    """RGB pictures of one scene: what is there and what each network sees."""
    sample = dataset[index]
    palette = np.array(dataset.metainfo['palette'], np.uint8)
    image = sample['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    truth = sample['data_samples'].gt_sem_seg.data[0].numpy()
    height, width = truth.shape
    small = Image.fromarray(image).reduce(2).resize((width, height), 0)
    pictures = {
        'image': image,
        'small image': np.array(small),
        'truth': palette[truth]
    }
    for name, network in networks.items():
        label = predict(network, sample).pred_sem_seg.data[0].numpy()
        pictures[name] = palette[label]
        wrong = (label != truth)[..., None]
        pictures[f'{name}: wrong in red'] = np.where(wrong,
                                                     np.uint8([220, 30, 30]),
                                                     image // 2 + 128)
    return pictures


def predict(network: nn.Module, sample: dict) -> SegDataSample:
    """Predict one sample of the dataset."""
    with torch.no_grad():
        return network.test_step(
            dict(
                inputs=[sample['inputs']],
                data_samples=[sample['data_samples']]))[0]


def tile(pictures: dict[str, np.ndarray]) -> Image.Image:
    """Some of the pictures side by side, with their names."""
    names = [name for name in SHOWN if name in pictures]
    height, width = pictures['image'].shape[:2]
    sheet = Image.new('RGB', (2 * width + 4, len(names) // 2 * (height + 18)),
                      'white')
    draw = ImageDraw.Draw(sheet)
    for number, name in enumerate(names):
        at = number % 2 * (width + 4), number // 2 * (height + 18)
        draw.text((at[0] + 4, at[1] + 3), name, 'black')
        sheet.paste(Image.fromarray(pictures[name]), (at[0], at[1] + 18))
    return sheet


def data_uri(pixels: np.ndarray) -> str:
    """A picture in the address itself: PNG of few colours, else JPEG."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    few = image.getcolors(256)
    if few:
        image.convert('P', palette=Image.Palette.ADAPTIVE).save(file, 'PNG')
    else:
        image.save(file, 'JPEG', quality=88)
    content = base64.b64encode(file.getvalue()).decode()
    return f'data:image/{"png" if few else "jpeg"};base64,{content}'


def rebuild(networks: dict[str, nn.Module],
            dataset,
            count: int = 50) -> dict | None:
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
        for pixels in (sample['inputs'], predicted.pred_img.data))
    image = Image.fromarray(truth)
    bicubic = image.reduce(2).resize(image.size, Image.Resampling.BICUBIC)
    measured = metric.evaluate(count)
    return dict(
        pictures=[data_uri(x) for x in (truth, rebuilt, np.array(bicubic))],
        ours=f'{measured["PSNR"]:.2f}',
        bicubic=f'{measured["PSNR.bicubic"]:.2f}',
        count=count)
