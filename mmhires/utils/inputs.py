# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Pictures, videos, streams and cameras named on a command line."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlparse
from urllib.request import url2pathname

from .video_reading import is_address

PICTURES = ('.bmp', '.jpeg', '.jpg', '.png', '.ppm', '.tif', '.tiff', '.webp')
VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm')


class Input(NamedTuple):
    """A file, the address of a stream or the number of a camera.

    ``name`` is that of a file below the directory that was asked for, so that outputs can be in the
    same directories as the inputs.
    """

    source: Path | str | int
    name: Path

    @property
    def is_video(self) -> bool:
        """Return whether it has frames, perhaps without an end."""
        return not isinstance(self.source, Path) or self.source.suffix.lower() in VIDEOS


def list_inputs(*places: str | Path, leave_out: str | Path | None = None) -> list[Input]:
    """List the inputs at some places.

    Args:
        *places: Each a picture, a video, a directory, of which all pictures are taken, those of
            directories within it too, a pattern such as ``'streets/*/*.png'``, the address of a
            stream (``rtsp://...``, ``http://...``) or the number of a camera.
        leave_out: A directory within them that is not searched, that of the outputs.

    Returns:
        Each input once, those of a directory or a pattern sorted.

    Raises:
        OSError: There is nothing at a place, or it cannot be read.
        ValueError: A file is neither a picture nor a video by its suffix.
    """
    roots = {}
    for place in places:
        for source, root in _look_at(str(place), leave_out):
            roots.setdefault(source, root)
    folders = {os.path.abspath(root) for root in roots.values() if root}
    common = os.path.commonpath(folders) if folders else ''

    def name_of(source: Path | str | int) -> Path:
        if not isinstance(source, Path):
            return _stream_name(source)
        return Path(os.path.relpath(os.path.abspath(source), common))

    return [Input(source, name_of(source)) for source in roots]


def find_inputs(place: str | Path) -> list[Path]:
    """List the files of a place, as :func:`list_inputs` does.

    Args:
        place: A picture, a video, a directory or a pattern.

    Returns:
        The files.

    Raises:
        OSError: As of :func:`list_inputs`.
        ValueError: As of :func:`list_inputs`, or it is not a file.
    """
    sources = [found.source for found in list_inputs(place)]
    if not all(isinstance(source, Path) for source in sources):
        raise ValueError(f'{place} is neither a file nor a directory')
    return sources


def name_outputs(inputs: Sequence[Input]) -> tuple[list[Path], list[str]]:
    """Choose names without suffix, all different.

    They are those of the inputs without their suffixes, but for inputs that differ in nothing else:
    ``a.jpg`` beside ``a.png`` keeps it.

    Args:
        inputs: From :func:`list_inputs`.

    Returns:
        The names, and those of the inputs that keep their suffixes.
    """
    names = [given.name.with_suffix('') for given in inputs]
    kept = []
    # Not all disks tell upper from lower case.
    while new := [i for i in _alike(names, str.casefold) if i not in kept]:
        kept += new
        for i in new:
            names[i] = inputs[i].name
    for i in _alike(names):  # Streams of several servers, for instance.
        names[i] = Path(f'{names[i]}-{i + 1}')
    return names, [str(inputs[i].name) for i in sorted(kept)]


def _alike(names: list[Path], key: Callable = str) -> list[int]:
    """Return the indices of names that others have too."""
    keys = [key(str(name)) for name in names]
    counts = Counter(keys)
    return [i for i, value in enumerate(keys) if counts[value] > 1]


def _look_at(place: str, leave_out) -> Iterator[tuple]:
    """Return the sources at one place, and the directory of their names."""
    if place.startswith('file://'):
        place = url2pathname(urlparse(place).path)
    path = Path(place)
    if is_address(place):
        yield place, None
    elif path.is_dir():
        files = _pictures_below(path, leave_out, set())
        if not files:
            raise FileNotFoundError(f'{path} holds no picture ({", ".join(PICTURES)})')
        yield from ((file, path) for file in sorted(files))
    elif place.isdecimal():
        yield int(place), None
    elif glob.has_magic(place) and not os.path.lexists(path):
        yield from _matches(place, leave_out)
    else:
        try:
            os.lstat(path)
        except FileNotFoundError:
            raise FileNotFoundError(f'{path} does not exist') from None
        if path.suffix.lower() not in PICTURES + VIDEOS:
            raise ValueError(
                f'{path} is neither a picture ({", ".join(PICTURES)}) nor a '
                f'video ({", ".join(VIDEOS)})'
            )
        yield path, path.parent


def _pictures_below(folder: Path, leave_out, seen: set) -> list[Path]:
    """Yield pictures of a directory and its subdirectories, each once."""
    found = []
    seen.add(os.path.realpath(folder))
    for path in folder.iterdir():
        is_picture = path.suffix.lower() in PICTURES
        if not path.is_dir():
            found += [path] * is_picture
        elif not (
            path.name.startswith('.') or os.path.realpath(path) in seen or _is_same(path, leave_out)
        ):
            below = _pictures_below(path, leave_out, seen)
            # What looks like a picture is not passed over in silence.
            found += below or [path] * is_picture
    return found


def _matches(pattern: str, leave_out) -> Iterator[tuple]:
    """Return matching pictures and videos, and the part without wildcards."""
    root = Path(pattern)
    while glob.has_magic(str(root)):
        root = root.parent
    found = []
    for match in map(Path, glob.glob(pattern, recursive=True)):
        if any(_is_same(part, leave_out) for part in (match, *match.parents)):
            continue
        if match.is_dir():
            found += _pictures_below(match, leave_out, set())
        elif match.suffix.lower() in PICTURES + VIDEOS:
            found.append(match)
    if not found:
        raise FileNotFoundError(f'{pattern}: no picture or video matches')
    yield from ((file, root) for file in sorted(set(found)))


def _is_same(folder: Path, other: str | Path | None) -> bool:
    """Return whether two names are the same directory."""
    return other is not None and os.path.isdir(other) and os.path.samefile(folder, other)


def _stream_name(source: str | int) -> Path:
    """Return the output name of a stream or a camera."""
    if isinstance(source, int):
        return Path(f'camera{source}')
    parts = urlparse(source)
    return Path(Path(parts.path).name or parts.hostname or 'stream')
