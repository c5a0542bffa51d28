"""What was measured as pictures, for docs/performance.md."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.processes import ROOT
from pipeline.figures.style import BLUE, GREY, LIGHT, ORANGE, canvas, panel, picture
from pipeline.files import write_bytes

FOLDER = ROOT / "docs/performance"
OURS = ("manual", "autograd")
PRODUCTS = "matrix products alone"


def write(found: dict[str, Any]) -> None:
    """Draw every picture anew."""
    FOLDER.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        write_bytes(FOLDER / f"{name}.png", draw(found))


@picture
def networks(found: dict[str, Any]) -> Figure:
    """Draw the seconds of an epoch by program, a panel a network; a line marks the products alone."""
    sizes = sorted(found["networks"].items(), key=lambda item: item[1][PRODUCTS]["median"])
    ours, eager = (sizes[-1][1][name]["median"] for name in ("manual", "PyTorch eager"))
    finding = f"The hand-derived engine takes {ours / eager:.2f} of PyTorch eager's time on {sizes[-1][0]}"
    said = "seconds an epoch of 60,000 images: median and range; dotted: the matrix products alone"
    figure = canvas(8.2, 2.9, finding, said)
    for place, (size, rows) in enumerate(sizes):
        axes = panel(figure, 1.35 + 4.1 * place, 0.5, 2.6, 1.55)
        names = [name for name in sorted(rows, key=lambda name: rows[name]["median"]) if name != PRODUCTS]
        medians = np.array([rows[name]["median"] for name in names])
        reach = [medians - [rows[name]["low"] for name in names]]
        reach.append(np.array([rows[name]["high"] for name in names]) - medians)
        colors = [BLUE if name in OURS else ORANGE for name in names]
        axes.barh(names, medians, color=colors, height=0.65, xerr=reach, error_kw={"ecolor": GREY})
        axes.axvline(rows[PRODUCTS]["median"], color=GREY, linestyle=":")
        axes.set_title(size, fontsize=9)
        axes.set_xlabel("seconds an epoch")
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
    return figure


@picture
def growth(found: dict[str, Any]) -> Figure:
    """Draw how an epoch's seconds grow with the hidden units and with the samples, with fitted powers."""
    hidden, samples = found["hidden"], found["samples"]
    finding = (
        f"Cost grows as hidden units to the power {hidden['exponent']:.2f}, "
        f"as samples to the power {samples['exponent']:.2f}"
    )
    figure = canvas(8.2, 2.9, finding, "seconds an epoch of the manual engine; the lines are fitted powers")
    _power(panel(figure, 0.7, 0.5, 3.0, 1.75), hidden, "hidden units")
    _power(panel(figure, 4.8, 0.5, 3.0, 1.75), samples, "samples, read by windows from disk")
    return figure


def _power(axes: Axes, section: dict[str, Any], quantity: str) -> None:
    sizes = np.array([int(size) for size in section["rows"]])
    seconds = np.array([row["seconds"] for row in section["rows"].values()])
    # The fitted line goes through the means of the logarithms.
    middle = np.exp(np.log(seconds).mean() - section["exponent"] * np.log(sizes).mean())
    axes.loglog(sizes, middle * sizes ** section["exponent"], color=LIGHT, linewidth=3)
    axes.loglog(sizes, seconds, color=BLUE, marker="o", markersize=4, linestyle="")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set(xlabel=quantity, ylabel="seconds")
    ticks = [
        tick for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if seconds.min() <= 2 * tick <= 4 * seconds.max()
    ]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])


PICTURES: dict[str, Callable[[dict[str, Any]], bytes]] = {"networks": networks, "growth": growth}
