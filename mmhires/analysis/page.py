# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Parts of the pages that commands write; a page needs no other file."""

import base64
import datetime
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from mmhires.utils.files import open_whole
from mmhires.version import __version__

from .records import device_name

FIXED, BROKEN = (0, 160, 60), (215, 25, 28)
# Pixels of a picture's longer side: a page holds dozens of them.
LONGEST = 768
_ROOT = Path(__file__).resolve().parents[2]


def write_page(path: str, template: str | Path, docs: Sequence[str] = (), **values) -> None:
    """Fill in a template that extends ``page.html``.

    Args:
        path: File to write.
        template: File of the template.
        docs: Pages of the documentation to name at the end, by their paths in the repository.
            Default: none.
        **values: Of the template.
    """
    from jinja2 import Environment, FileSystemLoader

    template = Path(template)
    folders = [template.parent, Path(__file__).parent]
    page = Environment(
        loader=FileSystemLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template(template.name)
    # A wheel has no documentation.
    links = {name: (_ROOT / name).as_uri() if (_ROOT / name).is_file() else '' for name in docs}
    values.update(date=datetime.date.today().isoformat(), machine=device_name())
    with open_whole(path, encoding='utf-8') as file:
        file.write(page.render(version=__version__, docs=links, **values))


def inline_svg(path: str | Path) -> str:
    """Read a plot for a page, whose colours its text and lines take.

    Args:
        path: SVG of Matplotlib.

    Returns:
        The element.
    """
    text = Path(path).read_text(encoding='utf-8').partition('<svg')[2]
    text = text.replace('#000000', 'currentColor').replace('#ffffff', 'none')
    return f'<svg{text}'


def scene(
    title: str,
    image: np.ndarray,
    truth: np.ndarray,
    labels: dict[str, np.ndarray],
    palette: Sequence,
    base: str,
) -> dict:
    """Pictures of one test image: predictions, and what they change.

    Args:
        title: What to call it.
        image: RGB ``(H, W, 3)``, uint8.
        truth: Classes ``(h, w)``; what the palette has no colour for is not known.
        labels: Predictions ``(h, w)`` by network.
        palette: RGB of each class.
        base: The network that the others are compared with.

    Returns:
        ``title``, ``pictures`` by name, and ``changes`` by network: a picture, and per cent of the
        pixels that are fixed and broken.
    """
    step = max(1, -(-max(truth.shape) // LONGEST))
    truth = truth[::step, ::step]
    labels = {name: label[::step, ::step] for name, label in labels.items()}
    image = np.array(Image.fromarray(image).resize(truth.shape[::-1]))
    colors = np.zeros((256, 3), np.uint8)
    colors[: len(palette)] = palette
    known = truth < len(palette)
    right = {name: (label == truth) & known for name, label in labels.items()}
    changes = {}
    for name in labels.keys() - {base}:
        marks = right[name] & ~right[base], right[base] & ~right[name]
        picture = np.repeat(image.mean(2, keepdims=True), 3, 2) // 2 + 110
        for mark, color in zip(marks, (FIXED, BROKEN)):
            picture[mark] = color
        fixed, broken = (100 * float(mark.mean()) for mark in marks)
        changes[name] = dict(
            picture=data_uri(picture.astype(np.uint8)),
            text=f'{name} fixes {fixed:.1f} % of the pixels and breaks '
            f'{broken:.1f} %, against {base}',
        )
    pictures = dict(image=image, truth=colors[truth]) | {
        name: colors[label] for name, label in labels.items()
    }
    pictures = {name: data_uri(pixels) for name, pixels in pictures.items()}
    return dict(title=title, pictures=pictures, changes=changes)


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
