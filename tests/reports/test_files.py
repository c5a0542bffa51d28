"""What is missing, damaged, partial or of another run."""

import math
import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.reports import page as reports

OUTPUT = Path("results/report.html")
BEST = "results/evaluation/two_layer-manual"
REQUIRED = (
    *("params.yaml", "dvc.lock", "requirements/runtime.txt"),
    *("results/evaluation.json", "results/gradients.json", "results/regression.json"),
    *("results/evaluation/mcnemar.json", "results/evaluation/comparison.png"),
    *(f"{BEST}/{name}" for name in ("confusion.csv", "confusion.png", "worst_mistakes.png")),
    "results/exercises/spiral.png",
)
# Cut off, no UTF-8, and what would steer a terminal, as it is and escaped.
DAMAGES = (b"[1, 2", b"\xff\xfe{}", b"\x1b[2J: [", b'{"a\\n\\u001b[2J": {}}')


@pytest.mark.parametrize("path", REQUIRED)
def test_a_missing_file_is_named_in_one_line_with_the_remedy(project, path):
    Path(path).unlink()
    with pytest.raises(UserError) as told:
        reports.content(OUTPUT)
    assert str(told.value).startswith(f"{path}: no such file; run ")
    assert len(str(told.value).splitlines()) == 1


@pytest.mark.parametrize(
    "path",
    [
        *(path for path in REQUIRED if path != "requirements/runtime.txt"),
        *("results/benchmark.json", "results/platform.json", "results/exercises/spiral.json"),
        f"{BEST}/learning_curves.png",
    ],
)
def test_a_damaged_file_is_named_in_one_line_with_the_remedy(project, path):
    whole = Path(path).read_bytes()
    for damage in (b"", whole[: len(whole) // 2], *DAMAGES):
        # Half of a table in CSV is a table: that it is of another run is told by dvc.lock.
        if damage == whole[: len(whole) // 2] and path.endswith((".csv", ".lock", ".yaml")):
            continue
        Path(path).write_bytes(damage)
        with pytest.raises(UserError) as told:
            reports.content(OUTPUT)
        message = str(told.value)
        assert message.startswith(f"{path}:")
        assert len(message.splitlines()) == 1
        assert message.isprintable()
        assert path == "params.yaml" or "; run " in message


@pytest.mark.parametrize(
    ("path", "by", "told"),
    [
        (
            "evaluation",
            lambda runs: runs["baseline-ridge"].pop("test/error"),
            "baseline-ridge.test/error: Field",
        ),
        ("evaluation", lambda runs: runs["baseline-ridge"].update({"test/error": 1.5}), "test/error = 1.5: "),
        (
            "evaluation",
            lambda runs: runs["baseline-ridge"].update({"test/log_loss": "?"}),
            "log_loss = '?': ",
        ),
        ("evaluation", lambda runs: runs.clear(), "it holds no run"),
        ("evaluation/mcnemar", lambda pairs: pairs[0].update(a="nobody"), "no run 'nobody' in"),
        ("evaluation/mcnemar", lambda pairs: pairs[0].update(p_value=2), "0.p_value = 2: "),
        ("gradients", lambda found: found["worst_relative_errors"].clear(), "it holds no model"),
        (
            "gradients",
            lambda found: found["worst_relative_errors"]["softmax"].pop("directions"),
            "softmax: no",
        ),
        ("regression", lambda found: found["polynomial"]["coefficients"]["closed_form"].pop(), "not as many"),
        ("regression", lambda found: found["digits"].update(gap=None), "digits.gap = None: "),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(project, change, path, by, told):
    change(f"results/{path}.json", lambda content: [by(content), content][1])
    with pytest.raises(UserError) as error:
        reports.content(OUTPUT)
    assert str(error.value).startswith(f"results/{path}.json: is damaged (")
    assert told in str(error.value)


def test_before_the_pipeline_has_run_the_command_says_what_to_run(run, project):
    shutil.rmtree("results")
    done = run()
    told = "error: results/evaluation.json: no such file; run `make repro`, which makes it\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert not Path("results").exists()


def test_without_exercises_speed_or_platform_their_sections_say_so(written):
    shutil.rmtree("results/exercises")
    for name in ("benchmark", "platform"):
        Path(f"results/{name}.json").unlink()
    page = written()
    names = ("quadratic", "two_layer", "spiral", "digits_cg", "relu_regression", "softmax_loops")
    assert f"Not here, because not run: {', '.join(names)}." in page.section("exercises").text
    assert not list(page.section("exercises").all("figure", "table"))
    assert "Not measured: make bench does" in page.section("performance").text
    assert "isn't recorded" in page.section("environment").text


def test_of_the_exercises_those_that_have_run_are_shown(written):
    Path("results/exercises/spiral.json").unlink()
    page = written()
    assert "because not run: spiral." in page.section("exercises").text
    assert len(list(page.section("exercises").all("figure"))) == 5


def test_machines_that_differ_are_told_with_their_stages(written, change):
    change("results/platform.json", lambda stages: stages["evaluate"].update(architecture="Katmai"))
    items = [each.text for each in written().section("environment").all("li")]
    assert any(item.endswith(", BLAS architecture Katmai, 2 threads: evaluate") for item in items)
    assert len(items) == 2


def test_what_is_not_of_one_run_by_dvc_lock_is_told_in_the_report_and_on_the_terminal(written, capsys):
    assert "Not all of one run" not in written().text
    assert capsys.readouterr().err == ""
    with Path(f"{BEST}/confusion.csv").open("a") as file:
        file.write("1,1\n")
    with Path("params.yaml").open("a") as file:
        file.write("# another comment\n")
    page = written()
    warning = page.one("header").one("p", class_="warning")
    assert [each.text for each in warning.all("code")] == ["params.yaml", "results/evaluation", "dvc repro"]
    assert capsys.readouterr().err.splitlines() == [
        f"report: {path}: is not what dvc.lock holds, and the report says so"
        for path in ("params.yaml", "results/evaluation")
    ]


def test_changes_that_are_not_committed_are_told(written):
    Path("requirements/development.txt").write_text("# changed\n")
    assert "with changes that are not committed" in written().one("header").text


def test_without_git_the_commit_is_unknown(written, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    shutil.rmtree(".git")
    page = written()
    assert "Commit unknown: there is no git repository here" in page.one("header").text
    assert "at the commit" not in page.section("reproduce").text


@pytest.mark.parametrize(
    ("error", "verdict", "sentence"),
    [(2e-10, "FAIL", "NOT within the bounds of their checks in softmax"), (None, "pass", "agree with")],
)
def test_a_gradient_over_its_bound_fails_in_the_table_and_in_the_answer(
    written, change, error, verdict, sentence
):
    def plant(found) -> None:
        if error:
            found["worst_relative_errors"]["softmax"]["autograd_float64"]["b"] = error

    change("results/gradients.json", plant)
    page = written()
    row = next(row for row in page.rows("Hand-derived gradients") if row[0] == "softmax")
    assert row[-1] == verdict
    assert sentence in page.section("answer").text


def test_an_error_that_is_no_number_fails_too(written, change):
    def no_number(found):
        found["worst_relative_errors"]["softmax"]["autograd_float64"]["W"] = math.nan

    change("results/gradients.json", no_number)
    row = next(row for row in written().rows("Hand-derived gradients") if row[0] == "softmax")
    assert (row[1], row[-1]) == ("nan", "FAIL")


def test_a_folder_of_ones_own_that_data_come_from_is_not_shown(written):
    path = Path("params.yaml")
    path.write_text(path.read_text().replace("    - npm:", "    - /home/somebody/mnist\n    - npm:"))
    assert "somebody" in path.read_text()
    assert "somebody" not in written().text


def test_a_report_outside_the_project_names_the_page_and_no_folder(run, project, tmp_path):
    output = tmp_path / "elsewhere" / "a report.html"
    done = run("--output", str(output))
    assert done.stdout.startswith(f"report: {output} (")
    text = output.read_text(encoding="utf-8")
    assert "<code>docs/exercises/spiral.md</code>" in text
    assert tmp_path.name not in text
    assert 'href="../' not in text


def test_an_output_that_cannot_be_written_is_named(run, project):
    Path("pipe").symlink_to("/dev/null")  # a report in its place would be everybody's
    for output in ("results", "pipe"):
        done = run("--output", output)
        told = f"error: {output}: is no file; name another by --output\n"
        assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert Path("pipe").is_char_device()


def test_a_report_that_fails_leaves_the_earlier_one(written, project):
    written()
    earlier = OUTPUT.read_bytes()
    Path("results/regression.json").unlink()
    with pytest.raises(UserError):
        written()
    assert OUTPUT.read_bytes() == earlier
    assert [path.name for path in OUTPUT.parent.glob(".*")] == []
