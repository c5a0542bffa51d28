"""Every source of randomness, made from a seed and a purpose."""

import numpy as np


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the generator of (seed, purpose): drawing more for one purpose shifts no other's draws."""
    return np.random.default_rng([seed, *purpose.encode()])
