"""Who becomes the champion, who doesn't, and what of a store is refused as its files.

Image i is one bright pixel, the i-th. A model is right on it where that pixel's weights say its label, so a
test says of every model which images it gets right.
"""

import json
import shutil
import sqlite3
import tempfile
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from safetensors.numpy import save_file

from pipeline.commands import promote as command
from pipeline.datasets import normalization, raw_pixels, splits
from pipeline.datasets.normalization import Standardization
from pipeline.errors import UserError
from pipeline.tracking import connection, registry, run_directory
from pipeline.tracking.publish import publish_missing
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException

RESULTS, NORMALIZED = Path("results"), Path("data/normalized")
COUNT = 100
EVERYTHING = range(COUNT)
Leave = Callable[..., Path]
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _with_validation_images(client: Any) -> None:
    """There are no test images: whoever looked for them would fail."""
    images = np.zeros((COUNT, 784), np.uint8)
    images[EVERYTHING, EVERYTHING] = 255
    inputs = normalization.fit(images, "per_pixel")
    splits.write(NORMALIZED / "validation", inputs.apply(images), np.arange(COUNT) % 10)
    inputs.save(NORMALIZED / "normalization.safetensors")


@pytest.fixture
def compete(leave_run: Leave) -> Callable[..., None]:
    """Leave runs that get these images right, published and evaluated; others are no longer on disk."""

    def leave(model: str, right: Iterable[int]) -> Path:
        # A standardisation of each model's own: with another one's the biases would be off.
        shift = np.float32(sum(map(ord, model)) % 50)
        inputs = Standardization(np.full(784, shift), np.full(784, 25.5 + shift, np.float32))
        inputs.save(Path("inputs.safetensors"))
        W = np.zeros((784, 10), np.float32)
        labels = np.arange(COUNT) % 10
        W[EVERYTHING, np.where(np.isin(EVERYTHING, list(right)), labels, (labels + 1) % 10)] = 1
        weights = {"W": W, "b": (inputs.mean / inputs.std) @ W}
        record = {
            "run": model,
            "experiment": "mnist",
            "model": "softmax",
            "probabilities": "softmax",
            "dataset": {"name": "mnist", "train": {"digest": "ab" * 32, "samples": 500}},
        }
        return leave_run(model, record=record, weights=weights, normalization=Path("inputs.safetensors"))

    def compete(log_losses: dict[str, float] | None = None, **right: Iterable[int]) -> None:
        shutil.rmtree(RESULTS, ignore_errors=True)
        evaluated = {}
        for number, (model, images) in enumerate(right.items()):
            directory = leave(model, images)
            evaluated[model] = {
                "fingerprint": run_directory.fingerprint(directory),
                "validation/error": 1 - len(list(images)) / COUNT,
                "validation/log_loss": (log_losses or {}).get(model, 1.0),
                "test/error": number / COUNT,  # the first is the best on the test images
            }
        (RESULTS / "evaluation.json").write_text(json.dumps(evaluated))
        publish_missing(RESULTS)

    return compete


@pytest.fixture
def first(compete: Callable[..., None], capsys: Output) -> None:
    """A champion that gets 80 of 100 right."""
    compete(first=range(80))
    promote(capsys)


def promote(capsys: Output) -> str:
    """Promote, and return what it says."""
    capsys.readouterr()
    command.promote()
    return capsys.readouterr().out


def refusal(task: Callable[[], Any] = command.promote) -> str:
    """What a refusal says, which is one line."""
    with pytest.raises(UserError) as caught:
        task()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def holders(client: Any) -> dict[str, str]:
    """The run behind every alias."""
    aliases = client.get_registered_model(registry.NAME).aliases
    versions = {alias: client.get_model_version(registry.NAME, aliases[alias]) for alias in aliases}
    return {alias: versions[alias].tags["run"] for alias in aliases}


def versions(client: Any) -> int:
    return len(client.search_model_versions(f"name = '{registry.NAME}'"))


def artifacts(client: Any, *, of_model: bool = False) -> Path:
    """The folder where the store keeps the champion's files."""
    source = registry.require(client).source
    if of_model:
        uri = client.get_logged_model(source.model_id).artifact_location + "/data"
    else:
        uri = source.run.info.artifact_uri + "/run"
    return Path(unquote(urlsplit(uri).path))


def test_the_first_champion_is_the_best_by_validation_not_by_test(
    client: Any, compete: Callable[..., None], capsys: Output
) -> None:
    compete(best_on_test=range(70), best=range(90), middle=range(80))
    said = promote(capsys)
    assert "has the lowest validation error of 3 models, 10.00% of 100 images, and there was no" in said
    assert holders(client) == {"champion": "best"}


@pytest.mark.parametrize(("log_loss", "wins"), [(0.5, "b"), (1.0, "a")])
def test_of_equal_errors_the_lower_log_loss_counts_and_then_the_name(
    client: Any, compete: Callable[..., None], log_loss: float, wins: str
) -> None:
    compete({"b": log_loss}, b=range(90), a=range(90))
    command.promote()
    assert holders(client) == {"champion": wins}


def test_twice_in_a_row_adds_no_version(client: Any, first: None, capsys: Output) -> None:
    assert "is already the champion: gradline-digits version 1\n" in promote(capsys)
    assert versions(client) == 1


def test_a_better_model_becomes_the_champion_and_says_why(
    client: Any, first: None, compete: Callable[..., None], capsys: Output
) -> None:
    compete(second=[*range(2, 80), *range(80, 95)])  # two of the champion's are lost, fifteen are won
    said = promote(capsys)
    assert "error 7.00% against 20.00%, 15 right by it alone, 2 by the champion alone, p = 0.00235" in said
    assert "version 2 is the champion, version 1 the challenger" in said
    assert holders(client) == {"champion": "second", "challenger": "first"}
    model = client.get_model_version_by_alias(registry.NAME, "champion")
    assert float(model.tags["mcnemar.p_value"]) == pytest.approx(0.00235, abs=1e-5)
    assert float(model.tags["validation/error"]) == pytest.approx(0.07)
    assert {"fingerprint", "params.digest", "data.training"} <= set(model.tags)
    assert "error 7.00% against 20.00%" in model.description
    assert "Data, training: `abababababab`" in model.description
    assert "`make promote`" in client.get_registered_model(registry.NAME).description


@pytest.mark.parametrize(
    ("right", "words"),
    [
        (range(75), "error 25.00% against 20.00%, 0 right by it alone, 5 by the champion alone"),
        (range(20, 80), "0 right by it alone, 20 by the champion alone, p = 1.91e-06"),  # surely worse
        (range(83), "error 17.00% against 20.00%, 3 right by it alone, 0 by the champion alone, p = 0.25"),
    ],
)
def test_who_is_not_surely_better_is_not_promoted(
    client: Any, first: None, compete: Callable[..., None], capsys: Output, right: range, words: str
) -> None:
    compete(second=right)
    said = promote(capsys)
    assert words in said
    assert "version 1 stays the champion" in said
    assert holders(client) == {"champion": "first"}
    assert versions(client) == 1


def test_a_champion_that_comes_back_is_the_version_it_was(
    client: Any, first: None, compete: Callable[..., None]
) -> None:
    compete(second=range(95))
    command.promote()
    client.set_registered_model_alias(registry.NAME, "champion", "1")
    client.delete_registered_model_alias(registry.NAME, "challenger")
    command.promote()
    assert versions(client) == 2
    assert holders(client) == {"champion": "second", "challenger": "first"}


def test_who_is_interrupted_leaves_the_old_champion_and_ends_the_work_later(
    client: Any, first: None, compete: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    compete(second=range(95))
    with monkeypatch.context() as patch:
        patch.setattr(type(client), "set_registered_model_alias", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            command.promote()
    assert holders(client) == {"champion": "first"}
    command.promote()
    assert (versions(client), holders(client)["champion"]) == (2, "second")


def test_nothing_evaluated_is_said() -> None:
    assert "run `dvc repro evaluate`" in refusal()


def test_nothing_published_is_said(compete: Callable[..., None]) -> None:
    compete(only=range(90))
    _change_the_evaluation(fingerprint="0" * 64)
    assert "none of the evaluated models is in it; `make publish` adds them" in refusal()


@pytest.mark.parametrize("metric", ["validation/error", "validation/log_loss"])
@pytest.mark.parametrize("value", [np.nan, -np.inf, None, "low"])
def test_a_metric_that_is_no_number_makes_nobody_champion(
    compete: Callable[..., None], metric: str, value: Any
) -> None:
    compete(only=range(90))
    _change_the_evaluation(**{metric: value})
    assert f"results/evaluation.json: only: no number '{metric}'; run `dvc repro --force" in refusal()


def _change_the_evaluation(**changes: Any) -> None:
    evaluated = json.loads((RESULTS / "evaluation.json").read_text())
    evaluated["only"].update(changes)
    (RESULTS / "evaluation.json").write_text(json.dumps(evaluated))


def test_without_validation_images_or_with_others_it_is_refused(compete: Callable[..., None]) -> None:
    compete(only=range(90))
    images, labels = splits.read(NORMALIZED / "validation")
    splits.write(NORMALIZED / "validation", np.array(images), (labels + 1) % 10)
    assert "validation/error 0.1000, but it is" in refusal()
    splits.write(NORMALIZED / "validation", images * np.float32(2), labels)
    assert "not standardised by" in refusal()
    shutil.rmtree(NORMALIZED / "validation")
    assert "data/normalized/validation: no such folder; `dvc pull` or `make repro` brings it" in refusal()


def test_an_alias_to_a_deleted_version_is_named_with_the_remedy(client: Any, first: None) -> None:
    with sqlite3.connect("mlflow.db") as store:  # MLflow would delete the alias, too
        store.execute("UPDATE registered_model_aliases SET version = 7")
    for task in (command.promote, lambda: registry.champion(client)):
        told = refusal(task)
        assert "the alias 'champion' points to version 7, which is deleted" in told
        assert "remove the alias in `make ui` (Models, gradline-digits), then `make promote`" in told


def test_a_champion_that_was_deleted_has_a_successor(client: Any, first: None, capsys: Output) -> None:
    client.delete_model_version(registry.NAME, "1")
    assert "there was no champion" in promote(capsys)
    assert holders(client) == {"champion": "first"}


def test_without_a_champion_there_are_no_files(client: Any) -> None:
    assert "gradline-digits has no champion; `make promote` chooses one" in refusal(
        lambda: registry.champion(client)
    )


def test_the_champions_files_are_those_of_its_run(client: Any, first: None) -> None:
    folder = registry.champion(client)
    assert run_directory.fingerprint(folder) == run_directory.fingerprint(RESULTS / "runs/first")


def test_no_room_for_the_champions_files_is_no_fault_of_theirs(
    client: Any, first: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **named: Any) -> None:
        raise MlflowException("Failed to download artifacts from path 'run'")

    monkeypatch.setattr(MlflowClient, "download_artifacts", full)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=1000))
    told = refusal(lambda: registry.champion(client))
    assert told == f"{tempfile.gettempdir()}: No space left on device; make room there, then run it again"


def _lose(folder: Path) -> None:
    shutil.rmtree(folder)


def _add_a_pickle(folder: Path) -> None:
    (folder / "weights.pkl").write_bytes(b"\x80\x04.")


def _change_the_weights(folder: Path) -> None:
    save_file({"W": np.ones((784, 10), np.float32)}, folder / "weights.safetensors")


def _change_the_record(folder: Path) -> None:
    record = folder / "record.json"
    record.write_text(record.read_text().replace("500", "501"))


DAMAGES = {
    (_lose, False): "its files can't be read",
    (_lose, True): "its files can't be read",
    (_add_a_pickle, False): "unexpected file 'weights.pkl'",
    (_add_a_pickle, True): "its logged model has an unexpected file 'data/weights.pkl'",
    (_change_the_weights, False): "not that of its fingerprint",
    (_change_the_weights, True): "weights.safetensors of its logged model is not that of its run",
    (_change_the_record, False): "not that of its fingerprint",
    (_change_the_record, True): "record.json of its logged model is not that of its run",
}


def test_files_that_are_not_the_runs_are_refused(client: Any, first: None, tmp_path: Path) -> None:
    for (damage, of_model), words in DAMAGES.items():
        folder = artifacts(client, of_model=of_model)
        shutil.copytree(folder, tmp_path / "whole")
        damage(folder)
        told = refusal(lambda: registry.champion(client))
        assert "first (" in told
        assert words in told
        assert "then `make publish` and `make promote`" in told
        assert words in refusal()  # promote, too, though it is the best still
        shutil.rmtree(folder, ignore_errors=True)
        (tmp_path / "whole").rename(folder)
    registry.champion(client)


def test_a_challenger_whose_files_were_changed_is_refused(
    client: Any, first: None, compete: Callable[..., None]
) -> None:
    compete(second=range(95))
    (run,) = connection.finished_runs(client, run_directory.fingerprint(RESULTS / "runs/second"))
    _change_the_weights(Path(unquote(urlsplit(run.info.artifact_uri + "/run").path)))
    assert "not that of its fingerprint" in refusal()
    assert holders(client) == {"champion": "first"}


def test_raw_pixels_come_back_to_the_last_one() -> None:
    images = np.random.default_rng(5).integers(0, 256, (50, 784), np.uint8)
    for kind in ("global", "per_pixel"):
        inputs = normalization.fit(images, kind)
        inputs.save(Path("inputs.safetensors"))
        splits.write(Path("split"), inputs.apply(images), np.zeros(50))
        assert np.array_equal(raw_pixels.read(Path("split"), Path("inputs.safetensors"))[0], images)


def test_a_store_that_does_not_answer_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    RESULTS.mkdir()
    (RESULTS / "evaluation.json").write_text(json.dumps({"a": {"fingerprint": "0" * 64}}))
    assert "tracking: http://127.0.0.1:9: connection refused" in refusal()
