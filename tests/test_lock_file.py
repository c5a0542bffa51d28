"""dvc.lock as stages with their files, or one line that says why it is none."""

import pytest

from pipeline import lock_file
from pipeline.lock_file import File, Stage


def test_each_stage_has_what_it_read_and_what_it_left_with_their_hashes():
    content = b"""schema: '2.0'
stages:
  normalize:
    cmd: python -m pipeline.stages normalize
    deps:
    - {path: data/raw, hash: md5, md5: aaaa.dir, size: 9, nfiles: 4}
    params: {params.yaml: {seed: 0}}
    outs:
    - {path: data/normalized/train, hash: md5, md5: bbbb.dir}
  check_params:
    cmd: 'true'
"""
    assert lock_file.stages(content) == {
        "normalize": Stage(
            deps=[File(path="data/raw", md5="aaaa.dir")],
            outs=[File(path="data/normalized/train", md5="bbbb.dir")],
        ),
        "check_params": Stage(),
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "all of it: Input should be a valid dictionary"),
        (b"- 1", "all of it: Input should be a valid dictionary"),
        (b"{}", "stages: Field required"),
        (b"stages: [1]", "stages: Input should be a valid dictionary"),
        (b"stages: {a: {outs: [{path: x}]}}", "stages.a.outs.0.md5: Field required"),
        (b"stages: {a: {outs: [{path: x", "expected ',' or '}'"),
        (b"<<<<<<< HEAD\nstages: {}\n", "mapping values are not allowed here"),
        (b"stages: \xff", "unacceptable character"),
        (b"stages: " + 5000 * b"[", "maximum recursion depth exceeded"),
        (b"!!bool x", "x"),
        (b"!!int ''", "index out of range"),
        (b'stages: {"a\\nb\\e[31m": 1}', "stages.a b\N{REPLACEMENT CHARACTER}[31m: Input should be"),
    ],
    ids=range(12),
)
def test_what_is_no_lock_file_is_told_in_one_line(content, said):
    with pytest.raises(ValueError, match="^.*$") as told:
        lock_file.stages(content)
    assert said in str(told.value)
    assert str(told.value).isprintable()
