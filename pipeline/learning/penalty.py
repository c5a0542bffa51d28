"""The L2 penalty on the weights, in the three conventions that the field mixes up.

    sum         r·ΣW²           gradient 2r·W
    half        ½r·ΣW²          gradient r·W
    per_sample  λ/(2m)·ΣW²      gradient λ/m·W, m the number of samples

Biases are never penalised.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from pipeline.learning.arrays import Array, Params, sum_of_squares

Kind: TypeAlias = Literal["sum", "half", "per_sample"]


@dataclass(frozen=True)
class Penalty:
    """An L2 penalty of a kind and a strength (r, or λ for per_sample), which is not negative."""

    kind: Kind
    strength: float

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"penalty kind {self.kind!r}: choose one of {', '.join(get_args(Kind))}")
        if not self.strength >= 0:
            raise ValueError(f"penalty strength {self.strength!r}: must be at least 0")

    def coefficient(self, samples: int) -> float:
        """Return c of the penalty c·ΣW² at this number of samples."""
        return {"sum": self.strength, "half": self.strength / 2, "per_sample": self.strength / (2 * samples)}[
            self.kind
        ]

    def value(self, params: Params, samples: int) -> Array:
        """Return c·ΣW², summed over the weights."""
        total = sum(sum_of_squares(params[name]) for name in weights(params))
        return self.coefficient(samples) * total

    def shrinkage(self, samples: int) -> float:
        """Return 2c: what times W is the penalty's gradient."""
        return 2 * self.coefficient(samples)

    def add_gradient(self, grads: Params, params: Params, samples: int) -> None:
        """Add 2c·W to the gradient of each weight, in place."""
        shrinkage = self.shrinkage(samples)
        if shrinkage:
            for name in weights(params):
                grads[name] += shrinkage * params[name]


NONE = Penalty("sum", 0.0)


def weights(params: Params) -> list[str]:
    """Return the names of the weights among the parameters: W, W1, W2, and no bias."""
    return [name for name in params if name.startswith("W")]
