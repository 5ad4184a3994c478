# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""A trained network at several input sizes, beside its students."""

import json
import math
import os.path as osp
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from mmengine.config import Config

from mmhires.adapt.dsrl import changes
from mmhires.adapt.host_config import AdaptError, Upstream
from mmhires.analysis import distinct_names
from mmhires.utils.files import open_whole
from mmhires.utils.locks import FolderInUseError, claim_folder
from mmhires.utils.quiet import silence

from .answer import Answer, Row, answer, choose_metric, within
from .measure import Candidate, measure_accuracy, measure_latency
from .network import TrainedNetwork
from .sizes import choose_sizes

BUDGETS = (0.6, 0.4, 0.25)


@dataclass
class Budget:
    """What is measured, and where.

    Attributes:
        config: Config file of the trained network.
        checkpoint: Its weights.
        out_dir: Folder of all that is written.
        students: Configs and checkpoints of trained ones.
        budgets: Shares of the cost that are answered. Default: those of :data:`BUDGETS` that a size
            reaches.
        scales: Full-size image : network input. Default: a row of sizes.
        images: Test images at most, evenly spread.
        threads: Of the engines that are timed.
    """

    config: str
    checkpoint: str
    out_dir: str
    students: Sequence[tuple[str, str]] = ()
    budgets: Sequence[float] = ()
    scales: Sequence[float] = ()
    images: int = 100
    threads: int = 1
    rows: list[Row] = field(default_factory=list)

    def measure(self) -> list[Row]:
        """Measure what is not measured yet.

        Returns:
            The network as it is, its other sizes, then the students.

        Raises:
            FileNotFoundError: A file is not there.
            ValueError: What cannot be measured, or another process uses the folder.
        """
        with silence():
            upstream = Upstream(self.config)
        self.base = TrainedNetwork(upstream.cfg, self.config, self.checkpoint)
        self.adapts = _adapts(upstream, self.checkpoint)
        sizes = choose_sizes(self.base, upstream, self.scales, self.budgets)
        least = min(size.macs for size in sizes) / sizes[0].macs
        self.budgets = (
            self.budgets
            or [budget for budget in BUDGETS if within(least, budget)]
            or [math.ceil(100 * least) / 100]
        )
        self.candidates = [
            Candidate(size.name, self.base, size, upstream.stride, self.checkpoint)
            for size in sizes
        ]
        self.candidates += self._students()
        try:
            claim_folder(self.out_dir)
        except FolderInUseError as error:
            raise ValueError(f'--out-dir {error}') from error
        count = len(self.base.dataset)
        self.indices = np.linspace(0, count - 1, min(self.images, count), dtype=int).tolist()
        results = [
            measure_accuracy(candidate, self.indices, self.out_dir) for candidate in self.candidates
        ]
        times = measure_latency(self.candidates, self.threads, self.out_dir)
        full = sizes[0].macs
        self.rows = [
            Row(
                each.name,
                each.size.scale,
                each.size.name,
                each.size.macs / 1e9,
                each.size.macs / full,
                each.network is not self.base,
                **result,
                milliseconds={engine: of[each.name] for engine, of in times.items() if of},
            )
            for each, result in zip(self.candidates, results)
        ]
        self.metric = choose_metric(self.rows)
        return self.rows

    def answers(self) -> list[Answer]:
        """The best within each budget."""
        return [answer(self.rows, budget, self.metric) for budget in self.budgets]

    def commands(self, scale: float) -> str:
        """How to train a student for a scale, or why DSRL does not apply."""
        if isinstance(self.adapts, AdaptError):
            return f'# DSRL does not apply: {self.adapts}'
        config, checkpoint = map(shlex.quote, (self.config, self.checkpoint))
        return (
            f'mmhires adapt dsrl {config} -o student.py --scale {scale} '
            f'--teacher-ckpt {checkpoint}\n'
            'python tools/train.py student.py\n'
            f'mmhires budget {config} {checkpoint} '
            '--students student.py:work_dirs/student/BEST.pth'
        )

    def write(self) -> str:
        """Write ``budget.json``, which ``mmhires pareto`` reads too."""
        path = osp.join(self.out_dir, 'budget.json')
        results = [
            dict(
                config=row.name,
                scale=row.scale,
                input=row.size,
                trained=row.trained,
                gmacs=row.gmacs,
                share=row.share,
                **{f'{engine}_ms': time for engine, time in row.milliseconds.items()},
                **row.metrics,
            )
            for row in self.rows
        ]
        answers = [
            dict(
                cost=each.budget,
                config=each.best.name,
                scale=each.best.scale,
                student=each.student and each.student.name,
                text=each.text,
                commands=self.commands(each.best.scale),
            )
            for each in self.answers()
        ]
        with open_whole(path) as file:
            json.dump(
                dict(
                    metric=self.metric,
                    images=len(self.indices),
                    threads=self.threads,
                    results=results,
                    answers=answers,
                ),
                file,
                indent=2,
            )
        return path

    def _students(self) -> list[Candidate]:
        names = distinct_names([config for config, _ in self.students])
        students = []
        for name, (config, checkpoint) in zip(names, self.students):
            network = TrainedNetwork(Config.fromfile(config), config, checkpoint)
            theirs, ours = (
                (len(each.dataset), each.dataset.metainfo.get('classes'))
                for each in (network, self.base)
            )
            if theirs != ours:
                raise ValueError(
                    f'--students {config}: it tests on {theirs[0]} images of '
                    f'{len(theirs[1])} classes, {self.config} on {ours[0]} of '
                    f'{len(ours[1])}; give both the same test data set'
                )
            students.append(Candidate(name, network, network.input_size(), 1, checkpoint))
        return students


def _adapts(upstream: Upstream, checkpoint: str) -> AdaptError | None:
    """Why DSRL does not apply, if it does not."""
    try:
        with silence():
            next(changes(upstream, 2, checkpoint))
    except AdaptError as error:
        return error
    return None
