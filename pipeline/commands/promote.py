"""Choose the champion among the published models, on the validation images and never on the test images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.datasets import raw_pixels
from pipeline.errors import UserError
from pipeline.learning.arrays import Array
from pipeline.learning.evaluation import McNemar, compare
from pipeline.stages import records
from pipeline.tracking import connection, evaluated, projection, promotion, registry, run_directory
from pipeline.tracking.promotion import Candidate
from pipeline.tracking.quiet_mlflow import MlflowClient
from pipeline.tracking.registry import Source, Version
from pipeline.tracking.scored_model import ScoredModel

EVALUATION = Path("results/evaluation.json")
VALIDATION = records.NORMALIZED / "validation"
SIGNIFICANT = 0.05
# The rounding of another processor turns a close call or two; more have another reason.
CLOSE_CALLS = 0.001


@dataclass(frozen=True)
class Scored:
    """A model, and which of the validation images it gets right: bool (N,)."""

    source: Source
    record: dict[str, Any]
    right: Array

    @property
    def error(self) -> float:
        """The share of the images that it gets wrong."""
        return 1 - float(self.right.mean())


def promote() -> None:
    """Register the best model by validation as champion where it is better than the present one; say why.

    Raises UserError where nothing is evaluated or published, without validation images, where the files of
    one of the two, or of the champion that stays, can't be read or aren't what was evaluated, and where the
    store doesn't answer.
    """
    with connection.answering():
        client = connection.connect()
        found, lacking = promotion.candidates(client, evaluated.read(EVALUATION))
        if lacking:
            print(f"promote: not in MLflow, so no candidates: {', '.join(lacking)}; `make publish` adds them")
        best, champion = found[0], registry.holder(client, registry.CHAMPION)
        if champion and champion.source.fingerprint == best.source.fingerprint:
            registry.files(client, champion.source)  # refuses what isn't any more what was promoted
            named = f"{registry.NAME} version {champion.number}"
            print(f"promote: {best.source.shown} is already the champion: {named}")
        else:
            _challenge(client, best, champion, len(found))


def _challenge(client: MlflowClient, best: Candidate, champion: Version | None, among: int) -> None:
    """Let both score the same raw pixels, each by its own standardisation, and promote the better one."""
    images, labels = raw_pixels.read(VALIDATION, records.NORMALIZATION)
    challenger = _score(best.source, registry.files(client, best.source), images, labels)
    _require_evaluated(best, challenger.error)
    tags = {"validation/error": best.error, "validation/log_loss": best.log_loss, **_data(challenger)}
    if champion is None:
        why = (
            f"{best.source.shown} has the lowest validation error of {among} models, {best.error:.2%} "
            f"of {len(labels):,} images, and there was no champion"
        )
    else:
        incumbent = _score(champion.source, registry.files(client, champion.source), images, labels)
        test = compare(challenger.right, incumbent.right)
        better = test.only_a_right > test.only_b_right and test.p_value < SIGNIFICANT
        why = _in_words(challenger, incumbent, test, better)
        if not better:
            print(f"promote: {why}; version {champion.number} stays the champion")
            return
        tags |= _test_tags(incumbent, test)
    number = promotion.register(client, best.source, champion, why, tags)
    print(f"promote: {why}")
    former = f", version {champion.number} the challenger" if champion else ""
    print(f"promote: {registry.NAME} version {number} is the champion{former}")


def _score(source: Source, directory: Path, images: Array, labels: Array) -> Scored:
    """Score raw pixels (N, 784) against labels (N,) with the files of a model."""
    predicted = ScoredModel(directory).predict(images).argmax(axis=1)
    return Scored(source, run_directory.read(directory).record, predicted == labels)


def _require_evaluated(best: Candidate, found: float) -> None:
    """Refuse an evaluation that was of other images than those on disk."""
    if not abs(found - best.error) <= CLOSE_CALLS:
        raise UserError(
            f"{EVALUATION}: {best.source.name}: validation/error {best.error:.4f}, but it is {found:.4f} on "
            f"{VALIDATION}; `dvc repro evaluate` makes them of the same data"
        )


def _in_words(challenger: Scored, incumbent: Scored, test: McNemar, better: bool) -> str:
    verdict = "is better than" if better else "isn't significantly better than"
    trained = [scored.record.get("dataset", {}).get("train") for scored in (challenger, incumbent)]
    doubt = "; the champion was trained on other data, which may hold some of these images"
    return (
        f"{challenger.source.shown} {verdict} the champion {incumbent.source.shown} on "
        f"{len(challenger.right):,} validation images: error {challenger.error:.2%} against "
        f"{incumbent.error:.2%}, {test.only_a_right} right by it alone, {test.only_b_right} by the champion "
        f"alone, p = {test.p_value:.3g} (McNemar's exact test){'' if trained[0] == trained[1] else doubt}"
    )


def _data(scored: Scored) -> dict[str, str]:
    return {f"data.{part.context}": part.digest for part in projection.datasets(scored.record)}


def _test_tags(incumbent: Scored, test: McNemar) -> dict[str, Any]:
    return {
        "mcnemar.against": incumbent.source.fingerprint,
        "mcnemar.only_right": test.only_a_right,
        "mcnemar.only_champion_right": test.only_b_right,
        "mcnemar.p_value": test.p_value,
    }
