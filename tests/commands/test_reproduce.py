"""What `reproduce` compares and says, on small files; the whole of it runs in tests/pipeline."""

import json
import subprocess

import pytest

from pipeline import machine
from pipeline.commands import reproduce
from pipeline.errors import UserError

LOCK = """\
schema: '2.0'
stages:
  check_params:
    cmd: python -m pipeline.stages check_params
    deps:
    - {path: params.yaml, hash: md5, md5: aaaa, size: 1}
    outs:
    - {path: data/params.checked, hash: md5, md5: bbbb, size: 1}
  train@softmax-manual:
    cmd: python -m pipeline.stages train softmax manual
    outs:
    - {path: results/runs/softmax-manual, hash: md5, md5: cccc.dir, size: 1, nfiles: 5}
  check_gradients:
    cmd: python -m pipeline.stages check_gradients
"""
HERE = {"processor": "Intel Xeon", "architecture": "Haswell", "threads": 2}
OTHERS = ({"architecture": "SkylakeX"}, {"threads": 1}, {"processor": "AMD EPYC"})


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A git repository without a commit that matters, on a machine that is HERE."""
    (tmp_path / "params.yaml").write_text("threads: 2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(machine, "prepare", lambda threads: None)
    monkeypatch.setattr(machine, "kind", lambda: HERE)
    return tmp_path


def git(folder, *arguments):
    identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def measure(folder, **accuracies):
    """Write an evaluation of runs of these accuracies in test; in validation they are all the same."""
    path = folder / "results/evaluation.json"
    path.parent.mkdir(parents=True)
    runs = {
        run: {"test/accuracy": value, "validation/accuracy": 0.9, "test/log_loss": value**-9}
        for run, value in accuracies.items()
    }
    path.write_text(json.dumps(runs))
    return folder


def test_outputs_are_the_hashes_of_every_stages_outputs_and_not_of_what_it_reads(tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert reproduce.outputs(tmp_path) == {
        "data/params.checked": "bbbb",
        "results/runs/softmax-manual": "cccc.dir",
    }


def test_a_missing_lock_says_what_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"dvc.lock: no such file; run `make repro` and commit dvc.lock"):
        reproduce.outputs(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "stages:\n  a: {outs: [{path: x}]}\n", f"<<<<<<< HEAD\n{LOCK}", "- 1\n"]
)
def test_a_damaged_lock_is_named_with_the_remedy(tmp_path, text):
    (tmp_path / "dvc.lock").write_text(text)
    with pytest.raises(
        UserError, match=r"dvc.lock: is damaged \(.*\); `git checkout COMMIT -- dvc.lock` "
    ) as told:
        reproduce.outputs(tmp_path)
    assert "\n" not in str(told.value)


def test_the_same_outputs_differ_in_nothing():
    assert reproduce.differences({"a": "1", "b": "2"}, {"b": "2", "a": "1"}) == []


def test_every_output_that_differs_is_a_line_with_both_hashes():
    expected, found = {"same": "1", "other": "2", "gone": "3"}, {"same": "1", "other": "9", "new": "4"}
    assert reproduce.differences(expected, found) == [
        "gone: 3 in dvc.lock, absent made again",
        "new: absent in dvc.lock, 4 made again",
        "other: 2 in dvc.lock, 9 made again",
    ]


@pytest.mark.parametrize(
    ("other", "status", "said"),
    [
        (0.904, 0, "within tolerance: the largest difference of an accuracy is 0.0040, allowed is 0.005"),
        (0.896, 0, "within tolerance: the largest difference of an accuracy is 0.0040, allowed is 0.005"),
        (0.906, 1, "NOT within tolerance: the largest difference of an accuracy is 0.0060, allowed is 0.005"),
        (0.894, 1, "NOT within tolerance: the largest difference of an accuracy is 0.0060, allowed is 0.005"),
    ],
)
def test_accuracies_elsewhere_may_differ_by_half_a_percent_either_way(tmp_path, capsys, other, status, said):
    there = measure(tmp_path / "there", a=0.9, b=0.8)
    here = measure(tmp_path / "here", a=other, b=0.8)
    assert reproduce._within_tolerance(there, here) == status
    assert capsys.readouterr().out == f"reproduce: {said}\n"


def test_other_runs_than_those_recorded_are_refused_by_name(tmp_path):
    there = measure(tmp_path / "there", a=0.9, b=0.8)
    here = measure(tmp_path / "here", a=0.9)
    with pytest.raises(UserError, match=r"results/evaluation.json: the runs are not the same: b$"):
        reproduce._within_tolerance(there, here)


def test_the_machine_of_the_record_is_no_other(repository):
    (repository / "results").mkdir()
    (repository / machine.RECORD).write_text(json.dumps({"normalize": HERE, "evaluate": HERE}))
    assert reproduce._other_platforms(repository) == []


def test_without_a_record_there_is_no_other_machine(repository):
    assert reproduce._other_platforms(repository) == []


def test_each_other_machine_is_one_line_however_many_stages_it_made(repository):
    skylake, single, amd = ({**HERE, **other} for other in OTHERS)
    nameless = {"architecture": "Haswell", "threads": 2}
    record = dict(zip("abcdef", (HERE, skylake, skylake, single, amd, nameless), strict=True))
    (repository / "results").mkdir()
    (repository / machine.RECORD).write_text(json.dumps(record))
    here = "here it is Intel Xeon, BLAS architecture Haswell, 2 threads"
    assert reproduce._other_platforms(repository) == [
        f"made on AMD EPYC, BLAS architecture Haswell, 2 threads; {here}",
        f"made on Intel Xeon, BLAS architecture Haswell, 1 threads; {here}",
        f"made on Intel Xeon, BLAS architecture SkylakeX, 2 threads; {here}",
        f"made on a processor that isn't recorded, BLAS architecture Haswell, 2 threads; {here}",
    ]


def test_a_lock_that_is_not_committed_is_refused(repository):
    git(repository, "init", "--quiet")
    (repository / "dvc.lock").write_text(LOCK)
    with pytest.raises(UserError, match=r"^dvc.lock: is not committed, so there is nothing to compare"):
        reproduce.reproduce(repository)


def test_outside_a_git_repository_the_one_line_says_so(repository, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository.parent))
    with pytest.raises(UserError, match="not a git repository"):
        reproduce.reproduce(repository)


def prepared(repository, monkeypatch, record, found):
    """Commit a lock and a record; let the clone's pipeline make `found` in place of softmax-manual."""
    git(repository, "init", "--quiet")
    (repository / "dvc.lock").write_text(LOCK)
    measure(repository, a=0.9)
    (repository / machine.RECORD).write_text(json.dumps({"train": record}))
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "All")

    def run(clone):
        assert clone.parent != repository
        assert (clone / "params.yaml").read_text() == "threads: 2\n"
        (clone / "dvc.lock").write_text(LOCK.replace("cccc.dir", found))

    monkeypatch.setattr(reproduce, "_run_every_stage", run)


@pytest.mark.parametrize(
    ("record", "found", "status", "last"),
    [
        (HERE, "cccc.dir", 0, "identical: all 2 outputs have the hashes in dvc.lock"),
        (HERE, "dddd.dir", 1, "1 of 2 outputs differ on the same kind of machine"),
        ({**HERE, "threads": 4}, "cccc.dir", 0, "identical: all 2 outputs have the hashes in dvc.lock"),
        ({**HERE, "threads": 4}, "dddd.dir", 0, "within tolerance: the largest difference of an accuracy"),
        ({**HERE, "processor": "AMD EPYC"}, "dddd.dir", 0, "within tolerance: the largest difference of an"),
    ],
)
def test_bits_must_agree_on_the_same_kind_of_machine_and_accuracies_on_another(
    repository, monkeypatch, capsys, record, found, status, last
):
    prepared(repository, monkeypatch, record, found)
    assert reproduce.reproduce(repository) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith(f"reproduce: {last}")
    named = f"reproduce: results/runs/softmax-manual: cccc.dir in dvc.lock, {found} made again"
    assert (named in lines) == (found != "cccc.dir")
