"""Which run an id, its beginning or a name means, and what is said where it isn't clear."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.tracking import connection, selection

Create = Callable[..., str]


@pytest.fixture
def create(client: Any) -> Create:
    """Open a run, and end it; return its id."""
    starts = iter(range(1_000, 100_000, 1_000))

    def create(name: str = "softmax-manual", status: str = "FINISHED", experiment: str = "mnist") -> str:
        number = connection.experiment_id(client, experiment)
        run = client.create_run(number, start_time=next(starts), run_name=name)
        client.set_terminated(run.info.run_id, status)
        return str(run.info.run_id)

    return create


def refusal(client: Any, wanted: str) -> str:
    with pytest.raises(UserError) as caught:
        selection.find(client, wanted)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_an_id_its_beginning_and_a_name_mean_the_run(client: Any, create: Create) -> None:
    wanted = create("baseline-ridge", experiment="baselines")
    create()
    for text in (wanted, wanted[:6], wanted[:31], "baseline-ridge"):
        assert selection.find(client, text).info.run_id == wanted


def test_a_name_means_its_newest_finished_run(client: Any, create: Create) -> None:
    create()
    newest = create()
    failed = create(status="FAILED")
    assert selection.find(client, "softmax-manual").info.run_id == newest
    assert selection.find(client, failed).info.run_id == failed


def test_a_name_that_could_begin_an_id_is_a_name(client: Any, create: Create) -> None:
    wanted = create("facade")
    assert selection.find(client, "facade").info.run_id == wanted


def test_a_name_of_no_finished_run_lists_those_there_are(client: Any, create: Create) -> None:
    failed = create(status="FAILED")
    said = f"run 'softmax-manual': none is FINISHED; there are {failed} (softmax-manual, FAILED)"
    assert refusal(client, "softmax-manual") == said


@pytest.mark.parametrize("wanted", ["softmax", "a'b", 'a"b', "12345", "0" * 32, "000000"])
def test_what_is_unknown_lists_the_nearest_names(client: Any, create: Create, wanted: str) -> None:
    for name in ("softmax-manual", "softmax-autograd"):
        create(name)
    said = refusal(client, wanted)
    assert said.startswith(f"run {wanted!r}: there is none in sqlite:///")
    assert {"softmax-manual", "softmax-autograd"} <= set(re.split("[, ]+", said))


def test_in_an_empty_store_the_remedy_is_to_publish(client: Any) -> None:
    assert refusal(client, "softmax-manual").endswith("; `make publish` fills it")


def test_the_beginning_of_several_ids_lists_them(
    client: Any, create: Create, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "BEGINNING", re.compile("[0-9a-f]{1,31}"))
    ids = [create() for _ in range(17)]  # of 17 ids two begin with the same of 16 digits
    digit = next(one[0] for one in ids if sum(other[0] == one[0] for other in ids) > 1)
    said = refusal(client, digit)
    assert said.startswith(f"run {digit!r}: several ids begin so; name more of one: {digit}")
    assert said.count("(softmax-manual, FINISHED)") == min(5, sum(one[0] == digit for one in ids))


def test_a_deleted_run_is_named_with_the_command_that_restores_it(client: Any, create: Create) -> None:
    wanted = create()
    client.delete_run(wanted)
    assert refusal(client, wanted).endswith(f"`mlflow runs restore --run-id {wanted}` brings it back")


def test_a_run_of_a_dvc_experiment_is_told_from_the_workspaces_own(client: Any, create: Create) -> None:
    run, short = create(), slice(selection.SHOWN)
    assert selection.words(client.get_run(run)) == f"softmax-manual ({run[short]})"
    client.set_tag(run, "dvc.exp.name", "loyal-gibe")
    told = f"softmax-manual ({run[short]} of the experiment loyal-gibe)"
    assert selection.words(client.get_run(run)) == told
