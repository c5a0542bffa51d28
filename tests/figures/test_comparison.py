import pytest

from pipeline.figures import comparison
from pipeline.figures.comparison import Pair
from pipeline.figures.table import table
from pipeline.learning.evaluation import McNemar

RUNS = ("linear_regression-closed_form", "two_layer-manual", "baseline-mlp_classifier")


def measured(error: float) -> dict[str, float]:
    metrics = {"error": error, "error_low": error / 2, "error_high": error * 2}
    others = {"log_loss": 0.5, "calibration_error": 0.01, "macro_f1": 0.9}
    return {**{f"test/{k}": v for k, v in {**metrics, **others}.items()}, "validation/error": error + 0.01}


MEASURED = {run: measured(error) for run, error in zip(RUNS, (0.13, 0.016, 0.034), strict=True)}


def markdown(*pairs: Pair) -> str:
    return comparison.markdown(MEASURED, pairs, 10_000)


def test_runs_stand_in_the_order_of_their_test_error():
    rows = [
        line
        for line in markdown().splitlines()
        if any(f" | {what} | " in line for what in comparison.RUNS.values())
    ]
    assert [row.split("`")[1] for row in rows] == [RUNS[1], RUNS[2], RUNS[0]]
    assert rows[0].endswith("derived by hand | 1.60% (0.80 – 3.20) | 2.60% | 0.5000 | 1.00% | 0.9000 |")


@pytest.mark.parametrize(
    ("test", "row"),
    [
        (McNemar(30, 20, 0.2), "-0.10 | 30 | 20 | 0.2 | no significant difference"),
        (McNemar(20, 60, 8.5e-6), "+0.40 | 20 | 60 | 8.5e-06 | `baseline-mlp_classifier` is better"),
        (McNemar(60, 20, 0.0499), "-0.40 | 60 | 20 | 0.0499 | `two_layer-manual` is better"),
        (McNemar(0, 0, 1.0), "+0.00 | 0 | 0 | 1 | right on the same images"),
    ],
)
def test_a_pair_is_judged_in_words(test, row):
    assert f"| `{RUNS[1]}` | `{RUNS[2]}` | {row} |" in markdown(Pair(RUNS[1], RUNS[2], test))


def test_published_errors_stand_beside_the_run_most_like_them():
    assert "| linear least squares | 12.0% | `linear_regression-closed_form` | 13.00% |" in markdown()


def test_every_row_of_a_table_has_as_many_cells_as_its_header():
    for section in markdown(Pair(RUNS[1], RUNS[2], McNemar(1, 2, 1.0))).split("\n\n"):
        assert len({line.count("|") for line in section.splitlines()}) == 1


def test_the_table_of_the_terminal_has_the_same_order():
    assert list(table(MEASURED).columns[0].cells) == [RUNS[1], RUNS[2], RUNS[0]]
