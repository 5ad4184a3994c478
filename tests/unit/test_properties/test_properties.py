# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Every registered component on bad input, by the recipes beside this file."""

import pytest
from data_recipes import DATA
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from judging import judge
from loss_recipes import LOSSES
from model_recipes import PARTS
from whole_model_recipes import WHOLE

from mmhires import registry

RECIPES = {**LOSSES, **PARTS, **WHOLE, **DATA}
# They take no data but the runner's own.
WITHOUT_INPUT = {
    'AtomicCheckpointHook',
    'ExactResumeHook',
    'FiniteLossHook',
    'KeypointErrorMetric',
    'RampHook',
    'StepZeroHook',
}


@pytest.mark.parametrize(
    'name, kind', [(name, kind) for name, recipe in RECIPES.items() for kind in recipe.kinds]
)
def test_a_result_is_finite_or_an_error_names_the_cause(name, kind):
    recipe, ran = RECIPES[name], 0
    for package in recipe.needs:
        pytest.importorskip(package)

    @settings(
        max_examples=recipe.examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # shrinking a seed helps nobody
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run_cases(data):
        nonlocal ran
        ran += 1
        judge(kind, recipe.case(data.draw, kind), recipe.refuses)

    run_cases()
    assert ran == recipe.examples


def test_no_registered_component_is_without_a_recipe():
    registered = set()
    for name in dir(registry):
        one = getattr(registry, name)
        if getattr(one, 'scope', None) == 'mmhires':
            one.import_from_location()
            registered |= {  # without those of other tests
                name
                for name, kind in one.module_dict.items()
                if kind.__module__.startswith('mmhires.')
            }
    assert registered == set(RECIPES) | WITHOUT_INPUT


def test_the_suite_has_at_least_2000_cases():
    assert sum(recipe.examples * len(recipe.kinds) for recipe in RECIPES.values()) >= 2000
