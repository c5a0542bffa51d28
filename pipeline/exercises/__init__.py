"""The six exercises that people get stuck on: each as asked, as answered, and the demonstration."""

from importlib import import_module
from typing import Any, Literal, Protocol, TypeAlias, cast, get_args

from pipeline.errors import UserError
from pipeline.exercises.outcome import Outcome

Variant: TypeAlias = Literal["asked", "answered"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
NAMES = ("quadratic", "two_layer", "spiral", "digits_cg", "relu_regression", "softmax_loops")


class Exercise(Protocol):
    """What a module of this package provides."""

    TITLE: str
    QUESTION: str
    """What its author asked, in our words."""
    ANSWER: str
    """The answer, in two sentences."""
    ASKED: str
    ANSWERED: str
    """What the variant does, in a few words."""
    RECIPE: Any
    """The settings that the published numbers belong to, of the type of its section in params.yaml."""

    def run(self, variant: Variant, settings: Any) -> Outcome:
        """Run one variant and everything that it is to show. Never raises for a claim that fails."""

    def timings(self, settings: Any) -> dict[str, float]:
        """Measure what the exercise says of speed: seconds, and ratios of seconds; nothing for most."""


def other(variant: Variant) -> Variant:
    """Return the variant that this one is compared with."""
    return "answered" if variant == "asked" else "asked"


def headline(exercise: Exercise, variant: Variant) -> tuple[str, str]:
    """Return the exercise's title, and what this variant of it does."""
    return exercise.TITLE, {"asked": exercise.ASKED, "answered": exercise.ANSWERED}[variant]


def get(name: str) -> Exercise:
    """Return the exercise of this name, importing no other; UserError lists the names there are."""
    if name not in NAMES:
        raise UserError(f"exercise {name!r}: choose one of {', '.join(NAMES)}")
    return cast(Exercise, import_module(f"{__name__}.{name}"))
