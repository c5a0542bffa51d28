"""The experiments as a reviewer finds them: described, with a view of their runs that shows what matters.

MLflow's UI keeps a saved view as a tag of its experiment, and a link that names the view opens it.
"""

import base64
import json
import zlib
from typing import NamedTuple

VIEW = "by-error"
# Without it MLflow's UI leads with prompts and traces of language models; so does the part of an address.
KIND = {"mlflow.experimentKind": "custom_model_development"}
TRAINING = "workflowType=machine_learning"


class Described(NamedTuple):
    """What an experiment says of itself in Markdown, and its run list's columns and order."""

    description: str
    columns: tuple[str, ...]
    sorted_by: str


_ERRORS = (
    *("metrics.`test/error`", "metrics.`test/error_low`", "metrics.`test/error_high`"),
    *("metrics.`validation/error`", "metrics.`test/log_loss`"),
    *("attributes.`Models`", "tags.`verified`", "tags.`dvc.exp.name`"),
)

EXPERIMENTS = {
    "mnist": Described(
        """\
Classifiers of the MNIST digits, trained by gradients that are derived by hand (`manual`) and once more by
those of PyTorch (`autograd`).

**Begin with** the run `comparison`: which model is best and by how much, whether both gradients agree, how
scikit-learn compares. The run `gradient-check` proves the derivations.

**Then look at** `test/error` with its 95% interval (`test/error_low`, `test/error_high`), at the curves of
`train/loss` and `validation/accuracy`, and in a run's artifacts at `evaluation/`: what it gets wrong.

Made by `dvc repro`. docs/review.md walks through it.
""",
        _ERRORS,
        "metrics.`test/error`",
    ),
    "baselines": Described(
        """\
scikit-learn's counterpart of each model, on the same split, with the same penalty.

**Look at** `test/error` beside that of the run in `mnist` that it is matched with (parameter `model`); the
paired tests are in the run `comparison` there.

Made by `dvc repro`. docs/review.md walks through it.
""",
        _ERRORS,
        "metrics.`test/error`",
    ),
    "exercises": Described(
        """\
Six exercises in gradient-based learning: each as asked, with what its author met, and as answered.

**Select a pair and compare**: `train/loss` diverges, stalls or oscillates as asked. A run's description
states the question, the answer, and what is checked.

Made by `dvc repro exercise@NAME`. The derivations are in docs/exercises/.
""",
        ("metrics.`train/loss`", "metrics.`train/accuracy`", "attributes.`Description`", "tags.`verified`"),
        "tags.`mlflow.runName`",
    ),
}


def tags(name: str) -> dict[str, str]:
    """Return the tags that an experiment is created with; of one that isn't ours, those for the UI alone."""
    if name not in EXPERIMENTS:
        return KIND
    described = EXPERIMENTS[name]
    return {
        **KIND,
        "mlflow.note.content": described.description,
        f"mlflow.sharedViewState.{VIEW}": _view(described),
    }


def link(address: str, experiment_id: str) -> str:
    """Return the address of the experiment's runs in that view, on the server at `address`."""
    return f"{address}/#/experiments/{experiment_id}/runs?{TRAINING}&viewStateShareKey={VIEW}"


def _view(described: Described) -> str:
    state = {
        "orderByKey": described.sorted_by,
        "orderByAsc": True,
        "selectedColumns": list(described.columns),
        "searchFilter": "",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "columnOrder": [],
        "columnWidths": {},
        "runsHiddenMode": "SHOWALL",
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
    }
    compressed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    name = "What matters first"
    return json.dumps({"name": name, "createdAt": 0, "updatedAt": 0, "state": f"deflate;{compressed}"})
