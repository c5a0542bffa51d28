"""The report as one HTML page: what goes into it, and how it becomes text."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from pipeline import params
from pipeline.figures.comparison import best_by_validation
from pipeline.params.whole import Params
from pipeline.reports import answer, inputs, origin, pictures, solved, speed, tables

TEMPLATE = "report.html.jinja"
# Where the data may come from moves no number, and can name a folder of one's own.
SOURCES = re.compile(r"^fetch:.*?(?=^\S|\Z)", re.DOTALL | re.MULTILINE)


def content(output: Path) -> dict[str, Any]:
    """Gather what the template shows, for a report that is to lie at `output`.

    Raises UserError naming the first file that is missing or damaged.
    """
    settings = params.load(Params)
    measured = inputs.evaluation()
    pairs, gradients, regression = inputs.pairs(measured), inputs.gradients(), inputs.regression()
    images = pictures.test_images(measured)
    stages = origin.lock()
    exercises = solved.solved()
    return {
        "commit": origin.commit(),
        "data": origin.data(stages),
        "differing": origin.differing(stages),
        "answer": answer.sentences(measured, pairs, gradients, images),
        "tables": {
            "runs": tables.runs(measured, best_by_validation(measured)),
            "mcnemar": tables.mcnemar(pairs, images),
            "published": tables.published(measured),
            "gradients": tables.gradients(gradients),
            "regression": tables.regression(regression, settings.regression.tolerance),
            "polynomial": tables.polynomial(regression.polynomial),
        },
        "comparison": pictures.comparison(measured),
        "models": pictures.models(measured),
        "regression": regression,
        "tolerance": settings.regression.tolerance,
        "exercises": [(each, solved.link(each.page, output)) for each in exercises],
        "missing": solved.missing(exercises),
        "speed": _speed(),
        "machines": origin.machines(),
        "versions": origin.versions(),
        "parameters": SOURCES.sub("", params.path().read_text(encoding="utf-8")),
    }


def html(content: Mapping[str, Any]) -> str:
    """Return the page of what `content` gathered; the same content gives the same text."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.filters["code"] = code
    return templates.get_template(TEMPLATE).render(content)


def code(text: str) -> Markup:
    """Return text, escaped, with what stands between backticks as code."""
    parts = (
        escape(part) if place % 2 == 0 else Markup("<code>{}</code>").format(part)
        for place, part in enumerate(text.split("`"))
    )
    return Markup("").join(parts)


def _speed() -> dict[str, Any] | None:
    found = inputs.benchmark()
    if not found:
        return None
    return {"machine": found.machine, "race": speed.race(found), "networks": speed.networks(found)}
