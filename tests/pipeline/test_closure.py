"""dvc.yaml declares exactly what stages read: modules, files and parameters."""

import json
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

# Written beside the outputs by the launcher, and read back by it: a note, not an input.
NOTES = ("results/platform.json", "results/timings")
# Declared for its order alone: nothing is fetched with parameters that are refused.
ORDER = {"fetch": {"data/params.checked"}}


@pytest.fixture(scope="module")
def declared(repository):
    """The resolved stages, as DVC understands them: name -> deps, params and outs."""
    program = """
import json
from dvc.repo import Repo
stages = {}
for stage in Repo(".").index.stages:
    deps = [dep for dep in stage.deps if not hasattr(dep, "params")]
    params = [name for dep in stage.deps if hasattr(dep, "params") for name in dep.params]
    stages[stage.name] = {
        "deps": [dep.def_path for dep in deps], "params": params, "outs": [out.def_path for out in stage.outs]
    }
print(json.dumps(stages))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=repository.path, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def covered(path: str, entries: list[str]) -> bool:
    """Whether a path is one of the entries, or inside one."""
    return any(PurePosixPath(path).is_relative_to(entry) for entry in entries)


def files_read(trace: dict, stage: dict) -> set[str]:
    """The files that a stage opened, but for code, parameters, its own outputs and the launcher's notes."""
    files = {name for name in trace["opened"] if not name.endswith((".py", ".pyc")) and name != "params.yaml"}
    return {name for name in files if not covered(name, [*stage["outs"], *NOTES]) and ".tmp" not in name}


def undeclared(trace: dict, stage: dict) -> set[str]:
    """What a stage read and does not declare."""
    modules_and_files = {*trace["modules"], *files_read(trace, stage)}
    missing = {name for name in modules_and_files if not covered(name, stage["deps"])}
    # A section declared covers the keys inside it; the whole file covers every key.
    whole = "params.yaml" in stage["deps"]
    read = {name for name in trace["parameters"] if not whole}
    return missing | {name for name in read if not covered(name.replace(".", "/"), dotted(stage["params"]))}


def unread(trace: dict, stage: dict) -> set[str]:
    """What a stage declares and does not read."""
    opened = [*trace["modules"], *trace["opened"], "requirements/runtime.txt"]
    files = {dep for dep in stage["deps"] if not any(covered(name, [dep]) for name in opened)}
    return files | (set(stage["params"]) - set(trace["parameters"]))


def dotted(names: list[str]) -> list[str]:
    return [name.replace(".", "/") for name in names]


def test_every_stage_was_traced(traces, declared):
    assert set(traces) == set(declared)


def test_every_stage_declares_all_that_it_reads(traces, declared):
    missing = {name: undeclared(traces[name], declared[name]) for name in declared}
    assert not any(missing.values()), f"add to dvc.yaml: {missing}"


def test_no_stage_declares_what_it_does_not_read(traces, declared):
    idle = {name: unread(traces[name], declared[name]) - ORDER.get(name, set()) for name in declared}
    assert not any(idle.values()), f"remove from dvc.yaml: {idle}"


def test_every_computing_stage_depends_on_the_locked_libraries(declared):
    computing = {name for name in declared if name not in ("check_params", "fetch")}
    assert all("requirements/runtime.txt" in declared[name]["deps"] for name in computing)


@pytest.mark.parametrize(
    ("stage", "omitted"),
    [
        ("train@softmax-manual", "pipeline/learning/models/softmax.py"),
        ("train@two_layer-autograd", "pipeline/learning/gradients/autograd.py"),
        ("evaluate", "results/runs/two_layer-manual"),
        ("evaluate", "data/normalized/normalization.safetensors"),
        ("normalize", "data/raw"),
    ],
)
def test_an_omitted_dependency_is_found(traces, declared, stage, omitted):
    planted = {**declared[stage], "deps": [dep for dep in declared[stage]["deps"] if dep != omitted]}
    found = undeclared(traces[stage], planted)
    assert found
    assert all(covered(name, [omitted]) for name in found)


@pytest.mark.parametrize(
    ("stage", "omitted"),
    [("train@softmax-manual", "train.softmax"), ("baseline@mlp_classifier", "train.two_layer.momentum")],
)
def test_an_omitted_parameter_is_found(traces, declared, stage, omitted):
    planted = {**declared[stage], "params": [name for name in declared[stage]["params"] if name != omitted]}
    assert undeclared(traces[stage], planted) == {omitted}


@pytest.mark.parametrize("read", ["docs/design.md", "pipeline/learning/constants.json", "results/new.json"])
def test_a_file_that_is_read_and_not_declared_is_found(traces, declared, read):
    planted = {**traces["normalize"], "opened": [*traces["normalize"]["opened"], read]}
    assert undeclared(planted, declared["normalize"]) == {read}


def test_an_idle_dependency_is_found(traces, declared):
    planted = {**declared["fetch"], "deps": [*declared["fetch"]["deps"], "README.md"]}
    assert unread(traces["fetch"], planted) == {"README.md", *ORDER["fetch"]}


def test_no_stage_imports_what_it_does_not_use(traces):
    assert "pipeline/learning/gradients/autograd.py" not in traces["train@two_layer-manual"]["modules"]
    assert "pipeline/learning/models/two_layer.py" not in traces["train@softmax-manual"]["modules"]
