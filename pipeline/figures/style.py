"""How every picture looks, and how it becomes bytes that are the same every time."""

import io

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's palette: told apart with any colour vision.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
# Opaque white under dark ink: readable on a page of any colour.
LOOK = {
    **mpl.rcParamsDefault,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 100,
    "savefig.dpi": 100,
}


def figure(width: float = 5.0, height: float = 3.6) -> tuple[Figure, Axes]:
    """Return an empty figure of this size in inches, and its axes."""
    with mpl.rc_context(LOOK):
        made = Figure(figsize=(width, height), layout="constrained")
        return made, made.add_subplot()


def png(made: Figure) -> bytes:
    """Return the figure as PNG: no date, version or path in it, whatever the user's settings."""
    buffer = io.BytesIO()
    with mpl.rc_context(LOOK):
        FigureCanvasAgg(made).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()
