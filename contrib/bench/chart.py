"""Charts of what was measured, as SVG by pygal, the library of the report's page; none where it is missing.

Debian: python3-pygal. A chart holds no script and needs nothing from elsewhere.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

try:
    import pygal
    from pygal.etree import etree
    from pygal.style import Style
except ImportError:
    pygal = None

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#a463f2", "#9c6b4e")
GAP = None
"""A point that was not measured."""


def bars(
    path: Path, title: str, labels: Sequence[str], series: Mapping[str, Sequence[float | None]], unit: str
) -> None:
    """A group of bars for each label, one bar of each series in it."""
    if _can(path):
        _write(path, pygal.Bar(**_looks(title, unit)), labels, series)


def lines(  # noqa: PLR0913, PLR0917 (each is a word on the chart)
    path: Path,
    title: str,
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    unit: str,
    across: str,
    logarithmic: bool = False,
) -> None:
    """A line for each series; labels stand at equal distances, so that powers make a logarithmic axis."""
    if _can(path):
        looks = _looks(title, unit) | {"x_title": across, "logarithmic": logarithmic}
        if logarithmic:
            looks["y_labels"] = steps([one for numbers in series.values() for one in numbers if one])
        _write(path, pygal.Line(**looks), labels, series)


def steps(numbers: Sequence[float]) -> list[float]:
    """1, 2, 5, 10, 20 …: as many as it takes to have all the numbers between them."""
    found = [factor * 10.0**power for power in range(-3, 9) for factor in (1, 2, 5)]
    low = max((one for one in found if one <= min(numbers)), default=found[0])
    high = min((one for one in found if one >= max(numbers)), default=found[-1])
    return [one for one in found if low <= one <= high]


def _can(path: Path) -> bool:
    if pygal is None:
        print(f"{path.name}: not drawn, pygal (python3-pygal) is not installed", file=sys.stderr)
    return pygal is not None


def _looks(title: str, unit: str) -> dict[str, object]:
    style = Style(
        background="#ffffff",
        plot_background="#ffffff",
        foreground="#333333",
        foreground_strong="#111111",
        foreground_subtle="#cccccc",
        guide_stroke_color="#cccccc",
        major_guide_stroke_color="#cccccc",
        colors=COLOURS,
        font_family="system-ui, sans-serif",
        title_font_size=17,
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=13,
        opacity="1",
        stroke_width="2",
        transition="0s",
    )
    return {
        "style": style,
        "js": [],
        "title": title,
        "y_title": unit,
        "width": 900,
        "height": 420,
        "margin": 12,
        "dots_size": 3.5,
        "legend_at_bottom": True,
        "legend_at_bottom_columns": 4,
        "truncate_legend": -1,
        "truncate_label": -1,
        "min_scale": 4,
        "value_formatter": lambda number: f"{number:,.3g}" if number < 1000 else f"{number:,.0f}",
    }


def _write(
    path: Path,
    made: "pygal.graph.base.BaseGraph",
    labels: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
) -> None:
    made.uuid = path.stem
    made.x_labels = list(labels)
    for name, numbers in series.items():
        made.add(name, list(numbers))
    root = made.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                parent.remove(child)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(etree.tostring(root, encoding="utf-8") + b"\n")
