"""The stage on made-up digits: a class is a band of lit pixels, which two_layer-manual knows exactly."""

import csv
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image
from threadpoolctl import threadpool_limits

from pipeline.datasets import normalization, splits
from pipeline.errors import UserError
from pipeline.figures.comparison import PAIRS, RUNS
from pipeline.stages import evaluate
from pipeline.tracking import run_directory

REPOSITORY = Path(__file__).parents[2]
PARAMS = "threads: 2\nseed: 0\nevaluate: {calibration_bins: 10, worst_mistakes: 6}\n"
PERFECT = "two_layer-manual"
TRAINED = ("softmax-manual", "softmax-autograd", PERFECT, "two_layer-autograd")
PICTURES = {"confusion.png", "reliability.png", "first_layer.png", "worst_mistakes.png"}
TABLES = {"confusion.csv", "per_class.csv", "reliability.csv"}
BANDS = np.kron(np.eye(10), np.ones((1, 78)))  # (10, 780)
PROTOTYPES = np.pad(BANDS, ((0, 0), (0, 4))).astype(np.float32)  # (10, 784)
KINDS = {
    "softmax": ("softmax", "softmax"),
    "two_layer": ("two_layer", "softmax"),
    "linear_regression": ("linear_regression", "clipped"),
    "baseline-ridge": ("linear_regression", "clipped"),
    "baseline-logistic_regression": ("softmax", "softmax"),
    "baseline-sgd_classifier": ("softmax", "one_vs_rest"),
    "baseline-mlp_classifier": ("two_layer", "softmax"),
}


def weights(name: str, model: str) -> dict[str, np.ndarray]:
    """Weights that are right about everything for PERFECT, and drawn at random for every other run."""
    rng = np.random.default_rng(list(name.encode()))
    hidden = np.zeros(10, np.float32)
    if name == PERFECT:
        return {"W1": PROTOTYPES.T, "b1": hidden, "W2": 9 * np.eye(10, dtype=np.float32), "b2": hidden}
    first, second = (rng.normal(0, 0.1, size).astype(np.float32) for size in ((784, 10), (10, 10)))
    if model == "two_layer":
        return {"W1": first, "b1": hidden, "W2": second, "b2": hidden}
    return {"W": first, "b": hidden}


def write_run(root: Path, name: str) -> None:
    kind = name if name in KINDS else name.rpartition("-")[0]
    model, probabilities = KINDS[kind]
    curves = {"train/loss": 0.5, "train/accuracy": 0.9, "validation/loss": 0.6, "validation/accuracy": 0.8}
    history = [{"epoch": epoch, **curves} for epoch in (1, 2)] if name in TRAINED else []
    run_directory.write(
        root / "results/runs" / name,
        record={"run": name, "experiment": "mnist", "model": model, "probabilities": probabilities},
        weights=weights(name, model),
        metrics={"best_epoch": 2} if name in TRAINED else {},
        history=history,
        snapshots=dict.fromkeys((0, 1, 2), next(iter(weights(name, model).values()))) if history else {},
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the stage reads."""
    root = tmp_path_factory.mktemp("inputs")
    (root / "params.yaml").write_text(PARAMS)
    standardization = normalization.Standardization(np.zeros(784, np.float32), np.full(784, 255, np.float32))
    standardization.save(root / "data/normalized/normalization.safetensors")
    rng = np.random.default_rng(0)
    for split, samples in (("validation", 90), ("test", 120)):
        labels = np.arange(samples) % 10
        images = PROTOTYPES[labels] * rng.uniform(0.8, 1, (samples, 784)).astype(np.float32)
        splits.write(root / "data/normalized" / split, images, labels)
    for name in RUNS:
        write_run(root, name)
    return root


def copy(inputs: Path, to: Path) -> Path:
    shutil.copytree(inputs, to, ignore=shutil.ignore_patterns("evaluation*", "comparison*"))
    return to


def evaluated(root: Path) -> Path:
    """Run the stage in `root`, with as many threads as PARAMS says; return its results."""
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(2):
        patch.chdir(root)
        patch.setenv("GRADLINE_TRACKING", "off")
        evaluate.main()
    return root / "results"


@pytest.fixture(scope="module")
def results(inputs: Path) -> Path:
    return evaluated(inputs)


@pytest.fixture(scope="module")
def metrics(results: Path) -> dict[str, dict[str, float]]:
    return json.loads((results / "evaluation.json").read_text())


def outputs(results: Path) -> dict[str, bytes]:
    files = [results / "evaluation.json", results / "comparison.md", *(results / "evaluation").rglob("*.*")]
    return {path.relative_to(results).as_posix(): path.read_bytes() for path in files}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_evaluation_maps_every_run_to_its_metrics_and_holds_nothing_else(metrics, results):
    common = {"accuracy", "error", "error_low", "error_high", "log_loss", "macro_f1", "calibration_error"}
    digits = {f"{rate}/{digit}" for rate in ("precision", "recall") for digit in range(10)}
    names = {f"test/{name}" for name in common | digits} | {f"validation/{name}" for name in common}
    assert set(metrics) == set(RUNS)
    for run, found in metrics.items():
        assert set(found) == names | {"fingerprint", "dataset"}
        assert found["fingerprint"] == run_directory.fingerprint(results / "runs" / run)


def test_the_comparison_says_in_words_what_the_metrics_say(metrics, results):
    run = run_directory.read(results / "runs/comparison")
    assert run.record["best_by_validation"] == PERFECT
    assert run.metrics == {f"best/{name}": metrics[PERFECT][name] for name in evaluate.BEST}
    said = run.record["description"]
    assert f"The best by validation is `{PERFECT}` (0.00% error there): on the test set 0.00% (" in said
    assert f"- `{PERFECT}` (0.00%) and `two_layer-autograd` (" in said
    assert f"`{PERFECT}` is better" in said
    table = rows(run.path / "tables/runs.csv")
    assert {row["run"]: float(row["test/error"]) for row in table} == {
        name: found["test/error"] for name, found in metrics.items()
    }
    assert [(row["a"], row["b"]) for row in rows(run.path / "tables/pairs.csv")] == list(PAIRS)
    digest = splits.digest(results.parent / "data/normalized/test")
    assert run.record["dataset"]["test"] == {"digest": digest, "samples": 120}


def test_a_perfect_model_makes_no_error(metrics):
    found = metrics[PERFECT]
    assert (found["test/error"], found["validation/error"], found["test/macro_f1"]) == (0, 0, 1)
    assert all(found[f"test/recall/{digit}"] == 1 for digit in range(10))


def test_a_random_model_is_measured_as_its_scores_say(metrics, inputs):
    images, labels = splits.read(inputs / "data/normalized/test")
    W = weights("softmax-manual", "softmax")["W"]
    right = int(((images @ W).argmax(axis=1) == labels).sum())
    assert metrics["softmax-manual"]["test/accuracy"] == right / 120
    assert 0 < right < 120


def test_the_size_of_a_block_changes_no_probability(inputs, monkeypatch):
    run = run_directory.read(inputs / "results/runs/two_layer-autograd")
    split = evaluate.Split(*splits.read(inputs / "data/normalized/test"))
    whole = evaluate._probabilities(run, split)
    monkeypatch.setattr(evaluate, "BLOCK", 7)
    np.testing.assert_allclose(evaluate._probabilities(run, split), whole, rtol=1e-5)


def test_every_run_has_its_pictures_and_tables_and_learning_curves_where_it_has_epochs(results):
    for run in RUNS:
        folder = results / "evaluation" / run
        names = {path.name for path in folder.iterdir()}
        assert names == PICTURES | TABLES | (
            {"learning_curves.png", "first_layer"} if run in TRAINED else set()
        )
        epochs = [path.name for path in sorted(folder.glob("first_layer/*"))]
        assert epochs == ([f"epoch-0000{epoch}.png" for epoch in (0, 1, 2)] if run in TRAINED else [])
    common = {path.name for path in (results / "evaluation").iterdir() if path.is_file()}
    assert common == {"comparison.png", "errors.csv", "mcnemar.json"}


def test_every_picture_opens_and_has_a_size_to_look_at(results):
    for path in (results / "evaluation").rglob("*.png"):
        with Image.open(path) as picture:
            picture.load()
        assert picture.width >= 300, path
        if (path.parent.name, path.name) != (PERFECT, "worst_mistakes.png"):  # which only says: none
            assert picture.height >= 150, path


def test_confusion_table_has_one_row_a_test_image(results):
    table = rows(results / "evaluation" / PERFECT / "confusion.csv")
    assert len(table) == 120
    assert [row["actual"] for row in table[:3]] == ["0", "1", "2"]
    assert all(row["actual"] == row["predicted"] for row in table)


def test_confusion_table_of_a_model_that_errs_has_its_accuracy_and_tells_actual_from_predicted(
    results, metrics
):
    run = "softmax-manual"
    table = rows(results / "evaluation" / run / "confusion.csv")
    right = sum(row["actual"] == row["predicted"] for row in table)
    assert right / 120 == metrics[run]["test/accuracy"]
    assert [row["actual"] for row in table] == [str(image % 10) for image in range(120)]


def test_worst_mistakes_are_the_surest_first_as_raw_pixels_under_their_digits(inputs, monkeypatch):
    monkeypatch.chdir(inputs)
    drawn = []
    monkeypatch.setattr(evaluate.images, "worst_mistakes", lambda *shown: drawn.extend(shown))
    test = evaluate.Split(*splits.read(inputs / "data/normalized/test"))
    probabilities = np.full((120, 10), 0.01, np.float32)
    probabilities[np.arange(120), test.labels] = 0.91
    for image, sure in ((7, 0.95), (23, 0.99), (42, 0.93)):  # of the digits 7, 3 and 2
        probabilities[image, 9] = sure
    run = run_directory.read(inputs / "results/runs/softmax-manual")
    evaluate._worst_mistakes(evaluate.Scored("a", run, probabilities), test, 2)
    _, pixels, true, predicted, probability = drawn
    assert (true.tolist(), predicted.tolist()) == ([3, 7], [9, 9])
    assert probability == pytest.approx([0.99, 0.95])
    assert pixels == pytest.approx(255 * test.images[[23, 7]].reshape(2, 28, 28))


def test_tables_say_what_the_metrics_say(results, metrics):
    run = "baseline-ridge"
    per_class = rows(results / "evaluation" / run / "per_class.csv")
    assert [float(row["recall"]) for row in per_class] == [
        metrics[run][f"test/recall/{c}"] for c in range(10)
    ]
    assert sum(int(row["images"]) for row in per_class) == 120
    bins = rows(results / "evaluation" / run / "reliability.csv")
    assert sum(int(row["images"]) for row in bins) == 120
    errors = {row["run"]: row for row in rows(results / "evaluation/errors.csv")}
    assert float(errors[run]["high"]) == metrics[run]["test/error_high"]


def test_comparison_has_every_run_and_every_pair(results, metrics):
    lines = (results / "comparison.md").read_text().splitlines()
    ranked = [line.split("`")[1] for line in lines if any(f" | {what} | " in line for what in RUNS.values())]
    assert set(ranked) == set(RUNS)
    assert ranked[0] == PERFECT
    found = [line for a, b in PAIRS for line in lines if line.startswith(f"| `{a}` | `{b}` |")]
    assert len(found) == len(PAIRS) == 7
    pair = found[PAIRS.index((PERFECT, "two_layer-autograd"))]
    only_perfect = round(120 * metrics["two_layer-autograd"]["test/error"])
    assert f"| {only_perfect} | 0 |" in pair
    assert pair.endswith(f"`{PERFECT}` is better |")


@pytest.mark.slow
def test_other_folder_home_settings_locale_and_time_zone_give_the_same_bytes(results, inputs, tmp_path):
    root = copy(inputs, tmp_path / "an other földer")
    (tmp_path / "matplotlibrc").write_text("font.family: serif\nlines.linewidth: 9\nfigure.dpi: 50\n")
    surroundings = {
        "HOME": str(tmp_path),
        "MPLCONFIGDIR": str(tmp_path),
        "MPLBACKEND": "svg",
        "LC_ALL": "C",
        "TZ": "Pacific/Kiritimati",
        "PYTHONPATH": str(REPOSITORY),
        "GRADLINE_TRACKING": "off",
    }
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.stages", "evaluate"],
        cwd=root,
        env={**os.environ, **surroundings},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"evaluate: 10 runs, best by validation: {PERFECT} (0.00% error")
    assert outputs(root / "results") == outputs(results)


def test_a_missing_run_is_one_line_and_leaves_the_outputs_alone(results, inputs, tmp_path):
    root = tmp_path / "missing"
    shutil.copytree(inputs, root)
    shutil.rmtree(root / "results/runs/baseline-ridge")
    with pytest.raises(UserError, match="results/runs/baseline-ridge") as refused:
        evaluated(root)
    assert "\n" not in str(refused.value)
    assert outputs(root / "results") == outputs(results)


@pytest.mark.parametrize("key", ["model", "probabilities"])
def test_an_unknown_model_is_refused_by_the_name_of_its_file(inputs, tmp_path, key):
    root = copy(inputs, tmp_path / "unknown")
    path = root / "results/runs/softmax-manual/record.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: "nonsense"}))
    with pytest.raises(UserError, match=r"softmax-manual/record.json: .*nonsense"):
        evaluated(root)


def test_weights_that_are_not_finite_are_refused_by_the_name_of_their_file(inputs, tmp_path):
    root = copy(inputs, tmp_path / "nan")
    path = root / "results/runs/softmax-manual/weights.safetensors"
    weights = safetensors.numpy.load_file(path)
    for spoilt in ({"b": np.full(10, np.nan, np.float32)}, {"W": np.full((784, 10), 3e38, np.float32)}):
        safetensors.numpy.save_file({**weights, **spoilt}, path)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserError, match=r"softmax-manual/weights.safetensors: not all finite"):
                evaluated(root)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("weights.safetensors", safetensors.numpy.save({"W": np.zeros((784, 10), np.float32)})),
        ("weights.safetensors", safetensors.numpy.save({"W": np.zeros((7, 10)), "b": np.zeros(10)})),
        ("weights.safetensors", safetensors.numpy.save({"W": np.zeros((784, 0)), "b": np.zeros(0)})),
        ("metrics.json", b'{"best_epoch": 99}'),
        ("metrics.json", b'{"best_epoch": NaN}'),
        ("history.csv", b"epoch\n"),
        ("snapshots.safetensors", safetensors.numpy.save({"first": np.zeros((784, 10), np.float16)})),
    ],
    ids=["a weight is missing", "shape", "empty", "best epoch", "no number", "history", "name of a snapshot"],
)
def test_files_of_a_run_that_do_not_go_together_are_refused(inputs, tmp_path, file, content):
    root = copy(inputs, tmp_path / "damaged")
    (root / "results/runs/softmax-manual" / file).write_bytes(content)
    with pytest.raises(UserError, match=r"^results/runs/softmax-manual.*; remove the directory and ") as told:
        evaluated(root)
    assert "\n" not in str(told.value)
