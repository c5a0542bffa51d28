"""How every picture looks, and how it becomes bytes that are the same every time."""

import io
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

P = ParamSpec("P")

# Okabe and Ito's palette: told apart with any colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
GREY, LIGHT = "#767676", "#E3E3E3"
DPI = 100
# Dark ink on opaque white: readable on a page of any colour. What isn't said here is as matplotlib ships
# it, with the font that it ships: nothing of the user's own settings.
LOOK = {
    **{name: value for name, value in mpl.rcParamsDefault.items() if not name.startswith("backend")},
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LIGHT,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "figure.dpi": DPI,
}


def picture(draw: Callable[P, Figure]) -> Callable[P, bytes]:
    """Make a function that draws a figure one that returns it as PNG, in our look.

    The look holds while the figure is drawn and while it is rendered: matplotlib reads it in both.
    """

    @wraps(draw)
    def rendered(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with mpl.rc_context(LOOK):
            return png(draw(*args, **kwargs))

    return rendered


def png(figure: Figure) -> bytes:
    """Return the figure as PNG, with no date, version, path or random id in it."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def canvas(width: float, height: float, finding: str, run: str = "") -> Figure:
    """Return an empty figure of this size in inches, headed by what it shows and of which run."""
    figure = Figure(figsize=(width, height))
    figure.text(0.12 / width, 1 - 0.12 / height, finding, va="top", weight="bold", size=9.5)
    figure.text(0.12 / width, 1 - 0.32 / height, run, va="top", color=GREY, size=8.5)
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes at this place of the figure, in inches from its lower left corner.

    We know how long our labels are; matplotlib's layout engines measure every text to find out, which
    takes as long as the drawing.
    """
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))
