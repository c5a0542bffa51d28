"""The picture of the gradient check: how far each derived gradient is from others, and how far it may be."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from pipeline.figures.style import BLUE, GREEN, GREY, LIGHT, ORANGE, canvas, panel, picture

Worst = Mapping[str, Mapping[str, Mapping[str, float]]]
# What is compared, in words, with its colour and mark.
KINDS = {
    "autograd_float64": ("against autograd, float64", BLUE, "o"),
    "autograd_float32": ("against autograd, float32", GREEN, "s"),
    "directions": ("against central differences along directions", ORANGE, "^"),
    "coordinates": ("against central differences by coordinate", GREY, "v"),
}
ROW = 0.21
# A difference of exactly 0 has no place on a logarithmic scale.
SMALLEST = 1e-17


@picture
def agreement(worst: Worst, bounds: Mapping[str, float]) -> Figure:
    """Draw the worst relative error by model, kind of check and parameter; a bar marks each bound."""
    rows = [(model, name) for model, checks in worst.items() for name in checks["autograd_float64"]]
    largest = max(worst[model]["autograd_float64"][name] for model, name in rows)
    finding = f"By hand and by autograd the gradients agree to {largest:.0e} of their size in float64"
    said = "worst over a training trajectory and random parameters; the vertical lines are what is allowed"
    height = ROW * len(rows)
    figure = canvas(7.6, 1.75 + height, finding, said)
    axes = panel(figure, 2.2, 0.5, 5.2, height)
    for kind, (label, color, mark) in KINDS.items():
        errors = [max(worst[model][kind][name], SMALLEST) for model, name in rows]
        axes.plot(errors, range(len(rows)), color=color, marker=mark, markersize=4, linestyle="", label=label)
        axes.axvline(bounds[kind], color=color, linewidth=0.9, linestyle=":")
    for place, (model, _) in enumerate(rows):
        if place and model != rows[place - 1][0]:
            axes.axhline(place - 0.5, color=LIGHT, linewidth=0.6)
    axes.set(xscale="log", xlabel="relative error", ylim=(len(rows) - 0.5, -0.5))
    axes.set_yticks(range(len(rows)), [f"{model}: d{name}" for model, name in rows])
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure
