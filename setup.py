# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Package mmhires, with its configs and tools where ``mim`` looks for them."""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.editable_wheel import editable_wheel

ROOT = Path(__file__).resolve().parent


def requirements(name):
    """Lines of ``requirements/{name}.txt`` without comments."""
    text = (ROOT / 'requirements' / f'{name}.txt').read_text()
    lines = (line.split('#')[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def add_mim_extension(folder, link):
    """Put configs, tools and the model index into a ``.mim`` folder.

    Args:
        folder (Path): The ``.mim`` folder. What it held before goes.
        link (bool): Link to the files of this source tree (an editable
            install) rather than copy them (a wheel).
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ('configs', 'tools', 'model-index.yml'):
        source, target = ROOT / name, folder / name
        if link:
            target.symlink_to(Path('..', '..', name))
        elif source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
        else:
            shutil.copy(source, target)


class BuildWithMim(build_py):
    """Fills ``.mim`` in the built package, not in the source tree.

    OpenMMLab's usual recipe looks for ``develop`` and ``bdist_wheel`` in
    ``sys.argv``, which misses the ``editable_wheel`` of today's pip.
    """

    def run(self):
        """Build, then add ``.mim``."""
        super().run()
        package = ROOT if self.editable_mode else Path(self.build_lib)
        add_mim_extension(package / 'mmhires' / '.mim', self.editable_mode)


class EditableWithMim(editable_wheel):
    """Tells ``mim`` where the package of an editable install is.

    ``mim search`` and ``mim download`` look for ``.mim`` in the folder that
    ``top_level.txt`` names, below the one of the metadata; a full path is
    taken as it is. The second line is what the file says otherwise.
    """

    def _ensure_dist_info(self):
        super()._ensure_dist_info()
        names = Path(self.dist_info_dir) / 'top_level.txt'
        names.write_text(f'{ROOT / "mmhires"}\nmmhires\n')


openmmlab = {line.split('==')[0]: line for line in requirements('openmmlab')}

setup(
    name='mmhires',
    version=re.search(r"__version__ = '(.+)'", (ROOT / 'mmhires' / 'version.py').read_text())[1],
    description='High-resolution dense prediction at low cost, for MMSegmentation and MMPose',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='mmhires contributors',
    license='Apache-2.0',
    project_urls={
        'MMSegmentation': 'https://github.com/open-mmlab/mmsegmentation',
        'MMPose': 'https://github.com/open-mmlab/mmpose',
        'DSRL': 'https://openaccess.thecvf.com/content_CVPR_2020/html/Wang_'
        'Dual_Super-Resolution_Learning_for_Semantic_Segmentation_CVPR_2020_'
        'paper.html',
        'FastFCN': 'https://arxiv.org/abs/1903.11816',
        'DDRNet': 'https://arxiv.org/abs/2101.06085',
    },
    keywords='semantic segmentation, pose estimation, super-resolution',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Programming Language :: Python :: 3.13',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    packages=find_packages(include=['mmhires', 'mmhires.*']),
    package_data={'': ['*.html']},
    entry_points=dict(console_scripts=['mmhires = mmhires.cli:main']),
    python_requires='>=3.10',
    # What `import mmhires` needs, but for the host packages, which are left to
    # the user. Neither mmcv nor mmcv-lite: they own the same folder, and one
    # installed over the other corrupts it. Nor mmengine, which asks for
    # opencv-python: it would come with every extra, beside the
    # opencv-python-headless that owns cv2/ already.
    install_requires=['numpy', 'setuptools<81', 'torch>=2.1'],
    extras_require=dict(
        # segmentation, complete, without compiled operators
        lite=[
            openmmlab['mmengine'],
            openmmlab['mmcv-lite'],
            openmmlab['mmsegmentation'],
            'opencv-python<5',
            'ftfy',
            'regex',
        ],
        # all that mmpose imports; mmpose itself goes in with --no-deps
        pose=[openmmlab['mmdet'], 'json-tricks', 'munkres', 'pycocotools', 'six'],
        # the ImageNet configs; it declares all that it imports
        pretrain=[openmmlab['mmpretrain']],
        # networks of timm as backbones, through mmpretrain.TIMMBackbone
        encoders=[openmmlab['mmpretrain'], *requirements('encoders')],
        # torch.onnx.export(dynamo=...) is of 2.5, torch.export's Dim.DYNAMIC
        # of 2.6
        deploy=['torch>=2.6', *requirements('deploy')],
        openvino=requirements('openvino'),
        video=requirements('video'),
        dev=requirements('dev'),
    ),
    cmdclass=dict(build_py=BuildWithMim, editable_wheel=EditableWithMim),
    zip_safe=False,
)
