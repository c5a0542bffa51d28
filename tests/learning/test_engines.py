"""What the gradient engines do beside differentiating: which there are, and how they hold a minibatch."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch

from pipeline.learning import gradients, models
from pipeline.learning.arrays import Array, Workspace, fresh
from pipeline.learning.gradients import autograd, manual

TRAINABLE = pytest.mark.parametrize("engine", ["manual", "autograd"])
X = np.random.default_rng(0).standard_normal((9, 4))
LABELS = np.arange(9)


def test_an_unknown_engine_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="gradient 'symbolic': choose one of manual, autograd, numeric"):
        gradients.get("symbolic")


def test_differences_are_refused_for_training_and_the_others_are_not() -> None:
    for name in ("numeric", "symbolic"):
        with pytest.raises(ValueError, match=f"gradient '{name}': choose manual or autograd to train with"):
            gradients.get_trainable(name)
    assert gradients.get_trainable("manual") is manual
    assert gradients.get_trainable("autograd") is autograd


@pytest.mark.parametrize("engine", ["manual", "numeric"])
def test_an_engine_that_needs_no_torch_imports_none(engine: str) -> None:
    program = (
        "import sys\n"
        "from pipeline.learning import gradients\n"
        f"gradients.get({engine!r})\n"
        "print([m for m in ('torch', 'sklearn', 'mlflow', 'matplotlib') if m in sys.modules])"
    )
    assert printed(program) == "[]"


def test_a_training_step_by_torch_imports_neither_sympy_nor_its_compiler() -> None:
    # Both take it seconds, and it imports them when certain of its own functions are called.
    program = (
        "import sys, torch\n"
        "from pipeline.learning import models\n"
        "from pipeline.learning.gradients import autograd\n"
        "params = {'W': torch.ones(2, 3), 'b': torch.ones(3)}\n"
        "X, y = torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)\n"
        "loss, downhill = autograd.differentiate(models.get('softmax'), params, X, y, rate=0.1)\n"
        "autograd.moving(params, ['W']).step(downhill, 0.9, 0.1)\n"
        "print([m for m in ('sympy', 'torch._dynamo') if m in sys.modules])"
    )
    assert printed(program) == "[]"


def printed(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@TRAINABLE
@pytest.mark.parametrize("array", [X, X.astype(np.float32), LABELS], ids=["float64", "float32", "labels"])
def test_rows_are_gathered_in_the_order_and_as_often_as_asked(engine: str, array: Array) -> None:
    chosen, index = gradients.get_trainable(engine), np.array([5, 0, 5])
    for buffer in (fresh, Workspace(array.dtype)):
        gathered = chosen.gather(chosen.to_native(array, "cpu"), index, buffer)
        np.testing.assert_array_equal(chosen.to_numpy(gathered), array[index], strict=True)


def test_manual_gathers_into_the_same_memory_at_every_step() -> None:
    workspace = Workspace(np.float64)
    first = manual.gather(X, np.array([0, 1]), workspace)
    assert manual.gather(X, np.array([7, 8]), workspace) is first
    np.testing.assert_array_equal(first, X[7:])


@TRAINABLE
def test_what_is_given_back_is_in_memory_of_its_own(engine: str) -> None:
    chosen = gradients.get_trainable(engine)
    native = chosen.to_native(X, "cpu")
    given = chosen.to_numpy(native)
    given[:] = 0
    np.testing.assert_array_equal(chosen.to_numpy(native), X)


@TRAINABLE
def test_read_only_samples_are_taken_without_a_copy_and_without_a_warning(engine: str) -> None:
    samples = X.copy()
    samples.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        native = gradients.get_trainable(engine).to_native(samples, "cpu")
    assert np.shares_memory(np.asarray(native), samples)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_labels_become_the_integers_that_torch_indexes_with(dtype: type) -> None:
    assert autograd.to_native(LABELS.astype(dtype), "cpu").dtype == torch.int64


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda': the manual gradient runs on NumPy, on the cpu only"):
        manual.to_native(X, "cuda")
    with pytest.raises(ValueError, match="device 'cuda:1': this torch finds no CUDA device; use cpu"):
        autograd.to_native(X, "cuda:1")


@TRAINABLE
def test_the_rate_is_a_factor_of_the_gradient_and_not_of_the_loss(engine: str) -> None:
    chosen, model = gradients.get_trainable(engine), models.get("softmax")
    params = {"W": np.random.default_rng(0).standard_normal((X.shape[1], 3)), "b": np.ones(3)}
    native = {name: chosen.to_native(value, "cpu") for name, value in params.items()}
    batch = chosen.to_native(X, "cpu"), chosen.to_native(LABELS % 3, "cpu")
    loss, downhill = chosen.differentiate(model, native, *batch, rate=0.1)
    expected, grads = chosen.loss_and_grads(model, native, *batch)
    assert float(loss) == float(expected)
    for name, grad in grads.items():
        scaled = 0.1 * chosen.to_numpy(grad)
        np.testing.assert_allclose(chosen.to_numpy(downhill[name]), scaled, rtol=1e-13, atol=1e-16)
