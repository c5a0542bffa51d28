"""What a run says that it was made from, and the verdict on what came out when it was made again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.tracking import connection, run_directory, verification
from pipeline.tracking.verification import Verdict

Leave = Callable[..., Path]
COMMIT = "c" * 40
MADE = {"git.commit": COMMIT, "dvc.stage": "train@a"}


def open_run(client: Any, **tags: str) -> Any:
    number = connection.experiment_id(client, "mnist")
    return client.create_run(number, run_name="a", tags={name.replace("_", "."): tags[name] for name in tags})


@pytest.fixture
def judged(client: Any, leave_run: Leave) -> Callable[..., Verdict]:
    """Judge a run against one of these changes; its fingerprint is its own, or else `tag`."""

    def judged(same_machine: bool = True, tag: str = "", first: Any = None, **changes: Any) -> Verdict:
        original = leave_run(**(first or {})).rename("original")
        run = open_run(client, fingerprint=tag or run_directory.fingerprint(original))
        remade = leave_run(**{**(first or {}), **changes})
        return verification.judge(run, original, remade, same_machine=same_machine)

    return judged


def weights(**changes: float) -> dict[str, np.ndarray]:
    """Weights whose largest is 1, with other first ones where told."""
    tensors = {"W": np.linspace(1, 0, 20, dtype=np.float32).reshape(2, 10), "b": np.ones(10, np.float32)}
    for name, value in changes.items():
        tensors[name][-1 if name == "b" else (1, 2)] += np.float32(value)
    return tensors


@pytest.mark.parametrize("same_machine", [True, False])
def test_the_same_bytes_are_identical_on_any_machine(judged: Any, same_machine: bool) -> None:
    assert judged(same_machine=same_machine).text == "identical"


def test_on_the_same_kind_of_machine_any_other_bit_is_different(judged: Any) -> None:
    verdict = judged(first={"weights": weights()}, weights=weights(W=1e-6))
    assert verdict.kind == "different"
    assert verdict.text.startswith("different: weights.safetensors: W[1, 2] is 0.36842")


@pytest.mark.parametrize(
    ("accuracy", "kind", "gap"),
    [
        *((0.924, "within tolerance", "0.0040"), (0.916, "within tolerance", "0.0040")),
        *((0.926, "different", "0.0060"), (0.914, "different", "0.0060")),
    ],
)
def test_elsewhere_accuracies_may_differ_by_half_a_percent(
    judged: Any, accuracy: float, kind: str, gap: str
) -> None:
    metrics = {"best_epoch": 2, "validation/accuracy": accuracy}
    changed = weights(b=0.5)
    verdict = judged(same_machine=False, first={"weights": weights()}, metrics=metrics, weights=changed)
    told = f"{kind}: the largest difference of an accuracy is {gap}, allowed is 0.005; the weights differ"
    assert verdict.text == f"{told} most in b[9]: 1.0 stored, 1.5 made again, 3.3e-01 of its largest"


@pytest.mark.parametrize(("change", "kind"), [(0.009, "within tolerance"), (0.011, "different")])
def test_elsewhere_what_has_no_accuracy_is_held_by_its_weights(judged: Any, change: float, kind: str) -> None:
    first = {"weights": weights(), "metrics": {"loss": 1.0}}
    verdict = judged(same_machine=False, first=first, weights=weights(W=-change), metrics={"loss": 2.0})
    told = f"{kind}: the largest difference of a weight, relative to its tensor, is {change:.4f}, allowed"
    assert verdict.text.startswith(f"{told} is 0.01; the weights differ most in W[1, 2]")


def test_elsewhere_an_error_is_held_as_an_accuracy(judged: Any) -> None:
    first = {"weights": {}, "metrics": {"best/test/error": 0.013, "best/test/error_high": 0.1}}
    changed = {"weights": {}, "metrics": {"best/test/error": 0.019, "best/test/error_high": 0.9}}
    told = "different: the largest difference of an accuracy is 0.0060, allowed is 0.005; metrics.json: "
    assert judged(same_machine=False, first=first, **changed).text.startswith(told)


def test_elsewhere_what_has_neither_accuracy_nor_weights_is_held_by_its_stage(judged: Any) -> None:
    first = {"weights": {}, "metrics": {"error/coordinates": 1e-9}}
    changed = {"weights": {}, "metrics": {"error/coordinates": 2e-9}}
    told = "within tolerance: what it measures is within the bounds of its stage; metrics.json: error/coord"
    assert judged(same_machine=False, first=first, **changed).text.startswith(told)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"weights": {"W": np.ones((784, 10), np.float32)}},
            "weights.safetensors: b is float32 (10,) stored",
        ),
        ({"metrics": {"validation/accuracy": 0.92}}, "metrics.json: best_epoch is 2 stored"),
    ],
)
def test_elsewhere_another_tensor_or_metric_is_no_matter_of_tolerance(
    judged: Any, changes: dict[str, Any], told: str
) -> None:
    assert judged(same_machine=False, **changes).text == f"different: {told}, none made again"


def test_altered_files_are_different_also_elsewhere_and_named_by_what_was_made_again(judged: Any) -> None:
    verdict = judged(same_machine=False, tag="0" * 64, figures={"curves.png": b"as it was"})
    assert verdict.text.startswith(
        "different: figures/curves.png: its bytes differ; run/: its files have the fingerprint "
    )


def test_a_verdict_names_three_differences_and_counts_the_others(client: Any) -> None:
    verdict = Verdict("different", ["a", "b", "c", "d", "e"], ["elsewhere"])
    assert verdict.text == "different: a; b; c; and 2 more; elsewhere"
    run = open_run(client)
    verification.write(client, run, Verdict("different", ["x" * 9000]), COMMIT)
    verification.write(client, run, Verdict("identical"), COMMIT)
    tags = client.get_run(run.info.run_id).data.tags
    assert (tags["verified"], tags["verified.commit"]) == ("identical", COMMIT)


def test_the_machine_is_what_the_tags_say(client: Any) -> None:
    said = {"processor": "Xeon", "blas.architecture": "Haswell", "blas.threads": "2"}
    kind = {"processor": "Xeon", "architecture": "Haswell", "threads": 2}
    assert verification.platform(open_run(client, **said)) == kind
    for tag in said:
        without = {name: value for name, value in said.items() if name != tag}
        assert verification.platform(open_run(client, **without)) is None


def test_a_run_is_made_from_its_commit_by_its_stage_with_its_patch(client: Any, tmp_path: Path) -> None:
    clean = open_run(client, **MADE)
    assert verification.origin(client, clean, tmp_path) == (COMMIT, "train@a", None)
    dirty = open_run(client, **MADE, **{"git.dirty": "true"})
    client.log_text(dirty.info.run_id, "the patch", "patch.diff")
    origin = verification.origin(client, dirty, tmp_path)
    assert origin.patch
    assert origin.patch.read_text() == "the patch"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"git.commit.source": "unknown"}, "its commit is unknown, so it can't be made again"),
        ({"git.commit": COMMIT}, "names no DVC stage that made it, so it can't be made again"),
        (
            {**MADE, "git.dirty": "true"},
            "was made with changes to cccccccccccc; its patch is not stored",
        ),
        (
            {**MADE, "git.dirty": "true", "git.patch": "not stored: too large"},
            "was made with changes to cccccccccccc; its patch is not stored: too large",
        ),
    ],
)
def test_a_run_that_does_not_say_what_it_was_made_from_is_refused(
    client: Any, tmp_path: Path, tags: dict[str, str], reason: str
) -> None:
    run = open_run(client, **tags)
    with pytest.raises(UserError) as caught:
        verification.origin(client, run, tmp_path)
    assert str(caught.value) == f"a ({run.info.run_id[:8]}): {reason}"
