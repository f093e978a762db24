"""Figures of a summary: ROC, reliability, decision curve and forest, as PNG."""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

Json = Mapping[str, Any]

BLUE, GREY = "#0072b2", "#777777"  # few hues: colour-blind readers tell them apart, and a small palette holds them
PANEL_INCHES: Final = 4.2
DPI: Final = 90
COLOURS: Final = 32


def roc(axes: Axes, summary: Json) -> None:
    """Draw the ROC curve with its area."""
    x, y = np.array(summary["discrimination"]["roc"]).T
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    axes.plot(x, y, color=BLUE, drawstyle="steps-post", label=f"AUC {span(summary['discrimination']['auc'])}")
    axes.set(xlabel="1 − specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="lower right", frameon=False, fontsize="small")


def reliability(axes: Axes, summary: Json) -> None:
    """Draw what happened over what was predicted, by bins of equal count with exact intervals."""
    calibration = summary["calibration"]
    bins = calibration["reliability"]
    x, y = (np.array([b[k] for b in bins]) for k in ("predicted", "observed"))
    reach = np.array([[b["observed"] - b["interval"]["low"], b["interval"]["high"] - b["observed"]] for b in bins]).T
    ece = calibration["ece"]["equal_count"]
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=":")
    label = f"slope {span(calibration['slope'], 2)}\nECE {ece['value']:.3f} (by luck up to {ece['by_luck']:.3f})"
    axes.errorbar(x, y, reach, color=BLUE, marker="o", markersize=4, linewidth=1, capsize=2, label=label)
    axes.set(xlabel="Predicted probability", ylabel="Observed share", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="lower right", frameon=False, fontsize="small")


def decisions(axes: Axes, summary: Json) -> None:
    """Draw net benefit over the threshold probability, against treating all and none."""
    curve = summary["decision_curve"]
    x = [d["threshold"] for d in curve]
    model, everyone = ([d[k]["value"] for d in curve] for k in ("model", "treat_all"))
    low, high = ([d["model"][k] for d in curve] for k in ("low", "high"))
    axes.fill_between(x, low, high, color=BLUE, alpha=0.2, linewidth=0)
    axes.plot(x, model, color=BLUE, label="model")
    axes.plot(x, everyone, color="black", linestyle="--", linewidth=1, label="biopsy all")
    axes.plot(x, np.zeros(len(x)), color=GREY, linewidth=1, label="biopsy none")
    top = max(max(high), max(everyone))
    axes.set(
        xlabel="Threshold probability", ylabel="Net benefit", xlim=(0, 1), ylim=(-0.1 * top - 0.01, 1.1 * top + 0.01)
    )
    axes.legend(loc="upper right", frameon=False, fontsize="small")


def forest(axes: Axes, summary: Json) -> None:
    """Draw the AUC of each subgroup beside that of all; those too small are named without one."""
    rows = summary["subgroups"]
    everyone = summary["discrimination"]["auc_logit"]
    names = [f"all ({summary['rows']})"] + [
        f"{r['variable']}: {r['level']} ({r['rows']}{', too few' if r['too_small'] else ''})" for r in rows
    ]
    for y, found in enumerate([everyone, *(r["auc"] for r in rows)]):
        if found:
            axes.plot([found["low"], found["high"]], [y, y], color=BLUE, linewidth=1)
            axes.plot(found["value"], y, color=BLUE, marker="s", markersize=4)
    axes.axvline(everyone["value"], color=GREY, linewidth=1, linestyle=":")
    axes.axvline(0.5, color=GREY, linewidth=0.5)
    axes.set(xlabel="AUC", ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names, fontsize="small")


DRAWN: Final[Mapping[str, Callable[[Axes, Json], None]]] = {
    "roc": roc,
    "reliability": reliability,
    "decisions": decisions,
    "forest": forest,
}


def save(summary: Json, path: Path, *, title: str = "") -> None:
    """Write the figures that the summary has values for side by side as one PNG of few colours, which is small.

    Parameters
    ----------
    summary : dict
        As `models.statistics.report.summarise` returns it. Without subgroups there is no forest.
    """
    drawn = [kind for kind in DRAWN if kind != "forest" or summary["subgroups"]]
    height = max(2 * PANEL_INCHES, PANEL_INCHES + 0.25 * len(summary["subgroups"]) + 1)
    figure = Figure(figsize=(2 * PANEL_INCHES + 1, height), layout="constrained")
    panels = figure.subplots(2, 2).flat
    for kind, axes in zip(drawn, panels, strict=False):
        DRAWN[kind](axes, summary)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels:
        axes.set_axis_off()
    figure.suptitle(title)
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn_as = BytesIO()
    figure.savefig(drawn_as, dpi=DPI)
    Image.open(drawn_as).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def span(found: Json, digits: int = 3) -> str:
    """Value and interval, or that there is none."""
    if found["value"] is None or found["low"] is None:
        return "undefined"
    return f"{found['value']:.{digits}f} ({found['low']:.{digits}f}–{found['high']:.{digits}f})"
