"""What a stage imports before its work begins: nothing heavy that it doesn't use."""

import subprocess
import sys

import pytest

HEAVY = {"torch", "sklearn", "mlflow", "matplotlib", "scipy", "pandas"}
# What the stage's module and those of its arguments import; tracking runs in a process of its own.
ALLOWED = {
    ("check_params",): set(),
    ("fetch",): set(),
    ("normalize",): set(),
    ("fit_regression",): {"scipy"},
    ("train", "models.softmax", "gradients.manual"): set(),
    ("train", "models.two_layer", "gradients.manual"): set(),
    ("train", "models.two_layer", "gradients.autograd"): {"torch"},
    ("check_gradients", "gradients.manual", "gradients.autograd"): {"torch", "matplotlib"},
    ("baseline", "baselines.ridge"): {"sklearn", "scipy", "pandas"},
}


@pytest.mark.parametrize("modules", ALLOWED, ids=" ".join)
def test_a_stage_imports_nothing_heavy_that_it_does_not_use(modules: tuple[str, ...]) -> None:
    stage, *others = modules
    imports = [f"pipeline.stages.{stage}", *(f"pipeline.learning.{other}" for other in others)]
    assert _offenders(imports, ALLOWED[modules]) == {}


def test_an_offender_is_named_with_its_time() -> None:
    found = _offenders(["pipeline.stages.train", "matplotlib.figure"], set())
    assert set(found) == {"matplotlib"}
    assert found["matplotlib"] > 0.05


def _offenders(imports: list[str], allowed: set[str]) -> dict[str, float]:
    """Return the seconds of each heavy package that these imports bring, but for those allowed."""
    program = f"import {', '.join(imports)}"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = {}
    for line in done.stderr.splitlines():
        own, _, name = line.removeprefix("import time:").split("|")
        package = name.strip().partition(".")[0]
        if package in HEAVY - allowed and own.strip().isdigit():
            found[package] = found.get(package, 0.0) + int(own) / 1e6
    return found
