"""What a person sees of training: lines in a file, a bar on a terminal."""

import os
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from pipeline.stages import progress

ROWS = [
    {"epoch": 1, "train/loss": 0.5, "train/accuracy": 0.875, "validation/accuracy": 0.75},
    {"epoch": 2, "train/loss": 0.25, "train/accuracy": 0.9, "validation/accuracy": 0.8},
]


@contextmanager
def terminal(monkeypatch):
    """Let stderr be a terminal; yield a list that holds, after the block, all that it showed."""
    main, side = os.openpty()
    shown = []

    def read():
        with suppress(OSError):  # the other side is closed
            while chunk := os.read(main, 4096):
                shown.append(chunk.decode(errors="replace"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with os.fdopen(side, "w") as stream, monkeypatch.context() as patch:
            patch.setattr(sys, "stderr", stream)
            patch.setenv("TERM", "xterm-256color")
            patch.setenv("COLUMNS", "160")
            patch.delenv("NO_COLOR", raising=False)
            yield shown
    finally:
        reader.join(5)
        os.close(main)


def show():
    with progress.epochs("softmax-manual", 2) as each:
        for row in ROWS:
            each(row)


def test_where_stderr_is_no_terminal_every_epoch_is_one_line(capsys):
    show()
    out, err = capsys.readouterr()
    assert out == ""  # which is for results
    assert err.splitlines() == [
        "softmax-manual: epoch 1/2: loss 0.5000, accuracy 87.50% in training, 75.00% in validation",
        "softmax-manual: epoch 2/2: loss 0.2500, accuracy 90.00% in training, 80.00% in validation",
    ]


def test_on_a_terminal_there_is_a_bar_that_ends_at_the_last_epoch(monkeypatch, capsys):
    with terminal(monkeypatch) as chunks:
        show()
    shown = "".join(chunks)
    assert "━" in shown
    assert "\x1b[2K" in shown  # it is drawn over itself
    last = shown.rpartition("\x1b[2K")[2]
    assert "2/2" in last
    assert "loss 0.2500, accuracy 90.00% in training, 80.00% in validation" in last
    assert "epoch 1/2" not in shown
    assert capsys.readouterr().out == ""


def test_a_training_that_fails_gives_the_cursor_back(monkeypatch):
    with (
        terminal(monkeypatch) as chunks,
        pytest.raises(RuntimeError, match="diverged"),
        progress.epochs("softmax-manual", 2) as each,
    ):
        each(ROWS[0])
        raise RuntimeError("diverged")
    shown = "".join(chunks)
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
