"""What a picture says and shows is what it was given."""

import io

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from pipeline.figures import evaluation, images


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """Every text that is written on a sheet, in order: first its heading."""
    texts: list[str] = []
    write = images.Sheet.write

    def listed(sheet, x, y, text, *args, **kwargs):
        texts.append(text)
        write(sheet, x, y, text, *args, **kwargs)

    monkeypatch.setattr(images.Sheet, "write", listed)
    return texts


def test_the_share_of_the_squared_weight_is_that_of_the_units_shown(written):
    W1 = np.ones((4, 60), np.float32)
    W1[:, ::6] = 0.5
    images.hidden_units("a", W1, 2)
    assert written[0] == "50 of 60 hidden units hold 95% of the squared weight"  # 50·4 of 50·4 + 10·1


def test_an_earlier_epoch_shows_the_units_that_are_largest_at_the_end(written):
    kept = np.ones((4, 60), np.float32)
    kept[:, :10] = 0.5
    images.hidden_units("a", 1.5 - kept, 2, kept)
    assert written[0] == "50 of 60 hidden units hold 56% of the squared weight"  # 50·1 of 50·1 + 10·4


def test_a_cell_of_the_confusion_matrix_is_as_dark_as_it_is_frequent_among_the_mistakes():
    counts = np.diag([500, 900, 700])
    counts[0, 1], counts[1, 2] = 8, 4
    drawn = np.asarray(Image.open(io.BytesIO(images.confusion("a", counts))).convert("RGB"))
    corners = drawn[images.TOP + 1 :: images.CELL, 48 + 1 :: images.CELL][:3, :3]
    right, blues = mpl.colors.to_rgb(images.LIGHT), mpl.colormaps["Blues"]
    for (row, column), count in np.ndenumerate(counts):
        shade = right if row == column else blues(count / 8)[:3]
        np.testing.assert_allclose(corners[row, column], 255 * np.array(shade), atol=1)


def test_the_curves_are_the_losses_and_the_errors_of_the_history():
    history = [
        {
            "epoch": epoch,
            **{"train/loss": 1 / epoch, "train/accuracy": 1 - 0.1 / epoch},
            **{"validation/loss": 2 / epoch, "validation/accuracy": 1 - 0.3 / epoch},
        }
        for epoch in (1, 2, 4)
    ]
    loss, error = evaluation.learning_curves.__wrapped__("a", history, 4).axes
    shown = {axes: [line.get_ydata() for line in axes.lines[:2]] for axes in (loss, error)}
    np.testing.assert_allclose(shown[loss], [[1, 0.5, 0.25], [2, 1, 0.5]])
    np.testing.assert_allclose(shown[error], [[10, 5, 2.5], [30, 15, 7.5]])
    assert [line.get_text() for line in error.get_legend().get_texts()] == ["training", "validation"]
    assert error.lines[2].get_xdata()[0] == 4
