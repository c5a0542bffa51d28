"""A comparison that can't be read is told in one line."""

import json

import pytest

from pipeline.commands import summary
from pipeline.errors import UserError

WITHOUT_METRICS = {"softmax-manual": {"fingerprint": 64 * "0"}}


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"softmax-manual": {}}', json.dumps(WITHOUT_METRICS), "[" * 100_000]
)
def test_summary_of_a_damaged_evaluation_is_one_line(content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    summary.EVALUATION.parent.mkdir()
    summary.EVALUATION.write_text(content)
    with pytest.raises(
        UserError, match=r"^results/evaluation.json: is damaged \(.*; run `dvc repro --force evaluate`$"
    ):
        summary.show()
