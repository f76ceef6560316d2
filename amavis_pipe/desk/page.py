"""The report as one page of HTML: no script, no request to anywhere, light or dark as the reader's screen is.

Charts are SVG by pygal, which puts a script into each for its own viewer: that is taken out, and what it
shows of a bar becomes the bar's title. Their colours are variables of the page, so that they follow it.
"""

import os
from collections.abc import Iterator, Sequence

import jinja2
import pygal
from markupsafe import Markup
from pygal.etree import etree
from pygal.style import Style

from amavis_pipe import __version__
from amavis_pipe.desk import layout
from amavis_pipe.desk.figures import Figures
from amavis_pipe.desk.report import period_of, sections, title

MOST_POINTS = 60
"""Points of a chart over time that can still be told apart; neighbours are taken together."""
LABELS = 5
LONGEST_LABEL = 30
FLOW = ("received", "sent", "spam", "virus", "bounced", "deferred")
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif'
_COLOURS = tuple(f"var(--c{number})" for number in range(1, 7))
_WIDTH, _HEIGHT = 460, 270


def page(made: Figures) -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(os.path.dirname(__file__)),
        autoescape=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = layout.clean
    return environment.get_template("page.html").render(
        title=title(made),
        flow=made["flow"],
        cache=made["cache"],
        charts=list(_charts(made)),
        tables=list(sections(made))[1:],
        version=__version__,
    )


def _charts(made: Figures) -> Iterator[tuple[str, Markup]]:
    """Heading and SVG of each chart that has something to show."""
    yield f"Mails by {made['by']}", _over_time(made)
    for heading, key, name, number in (
        ("Names of what was found", "names", "name", "mails"),
        ("What could not be checked", "unchecked", "name", "mails"),
        ("Formats of parts", "kinds", "kind", "parts"),
    ):
        if made[key]:
            labels = [row[name] for row in made[key]]
            yield heading, _bars(key, labels, {number: [row[number] for row in made[key]]})
    asked = [row for row in made["scanners"] if row["asked"]]
    if asked:
        times = {
            "mean ms": [row["mean_ms"] for row in asked],
            "95 % within ms": [row["p95_ms"] for row in asked],
        }
        yield "Scanners' times", _bars("scanners", [row["scanner"] for row in asked], times)


def _over_time(made: Figures) -> Markup:
    periods: list[list[str | int]] = [
        [period_of(made, row)[5:], *(row[what] for what in FLOW)] for row in made["periods"]
    ]
    while len(periods) > MOST_POINTS:
        periods = [_together(periods[at : at + 2]) for at in range(0, len(periods), 2)]
    kind = pygal.Line if len(periods) > 2 else pygal.Bar
    chart = kind(**_looks(), show_dots=len(periods) <= 31, legend_at_bottom=True, legend_at_bottom_columns=3)
    chart.x_labels = [period[0] for period in periods]
    chart.truncate_label, chart.margin_right = -1, 40
    chart.x_labels_major_count = min(LABELS, len(periods))
    chart.show_minor_x_labels = False
    for place, what in enumerate(FLOW, 1):
        chart.add(what, [period[place] for period in periods])
    return _svg(chart, "flow", f"Mails by {made['by']}")


def _together(periods: list[list[str | int]]) -> list[str | int]:
    """Neighbours as one, from the first one's time."""
    first, *_ = periods
    return [first[0], *(sum(int(period[place]) for period in periods) for place in range(1, len(first)))]


def _bars(name: str, labels: Sequence[str], series: dict[str, list[float]]) -> Markup:
    """Horizontal bars, the first on top."""
    looks = _looks() | {"height": 40 + 30 * len(labels) * len(series)}
    legend = len(series) > 1
    chart = pygal.HorizontalBar(
        **looks,
        show_legend=legend,
        legend_at_bottom=True,
        truncate_label=LONGEST_LABEL,
        print_values=True,
        print_values_position="top",
        show_x_labels=False,
        range=(0, 1.2 * max(max(numbers) for numbers in series.values()) or 1),
    )
    chart.x_labels = [layout.clean(label) for label in reversed(labels)]
    for title_, numbers in series.items():
        chart.add(title_, list(reversed(numbers)))
    return _svg(chart, name, name)


def _looks() -> Figures:
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground="var(--ink)",
        foreground_strong="var(--ink)",
        foreground_subtle="var(--line)",
        guide_stroke_color="var(--line)",
        major_guide_stroke_color="var(--line)",
        colors=_COLOURS,
        value_colors=("var(--ink)",) * len(_COLOURS),
        font_family=_FONT,
        label_font_size=13,
        major_label_font_size=13,
        value_font_size=13,
        legend_font_size=13,
        opacity="1",
        stroke_opacity="1",
        stroke_width="2",
        transition="0s",
    )
    return {
        "style": style,
        "js": [],
        "width": _WIDTH,
        "height": _HEIGHT,
        "margin": 8,
        "dots_size": 2.5,
        "max_scale": 6,
        "value_formatter": lambda number: f"{number:,.10g}",
    }


def _svg(chart: pygal.graph.base.BaseGraph, name: str, label: str) -> Markup:
    """The chart without script and comments: etree has escaped what is from outside."""
    chart.uuid = name
    root = chart.render_tree()
    for parent in list(root.iter()):
        for child in list(parent):
            if not isinstance(child.tag, str) or child.tag.rpartition("}")[2] == "script":
                parent.remove(child)
        _explain(parent)
        if parent.get("text-anchor") == "middle":  # the number of a bar: beside its end, not across
            parent.attrib.update({"text-anchor": "start", "dx": "5"})
    root.set("role", "img")
    root.set("aria-label", label)
    return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704 - a tree's text


def _explain(element: etree.Element) -> None:
    """Make what pygal's script would show of an element its title."""
    told = {child.get("class"): child for child in element if str(child.tag).rpartition("}")[2] == "desc"}
    if not told:
        return
    for child in told.values():
        element.remove(child)
    words = [told[key].text for key in ("x_label", "value") if key in told and told[key].text]
    etree.SubElement(element, "title").text = ": ".join(words)
