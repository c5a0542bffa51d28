import numpy as np
import pytest

from pipeline.datasets.toy import quadratic


def test_the_parabola_of_exercise_1_has_the_points_1_to_n() -> None:
    x, y = quadratic(5)
    assert x.dtype == y.dtype == np.float64
    np.testing.assert_array_equal(x, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(y, [1, 4, 9, 16, 25])


@pytest.mark.parametrize("points", [0, -1])
def test_no_points_are_refused(points: int) -> None:
    with pytest.raises(ValueError, match=f"points {points}: must be at least 1"):
        quadratic(points)
