"""The home page's drawings: SVG from numbers, in the colors of the page's text.

Each takes plain lists, as a cell glued them, and returns an ``<svg>``. Classes
give the colors, so both themes and paper are right; home.css holds them.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html import escape

NAMES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
# What a station is about, for a page without a figure of its own: 96 by 64.
ICONS = {
    "Sequences": '<path d="M14 32h68"/><circle cx="14" cy="32" r="5"/>'
    '<circle cx="37" cy="32" r="5"/><circle cx="59" cy="32" r="5"/>'
    '<path d="M76 26l6 6-6 6"/>',
    "Recurrence": '<rect x="36" y="28" width="24" height="22" rx="4"/>'
    '<path d="M60 39h10a8 8 0 0 0 8-8v-8a8 8 0 0 0-8-8H26a8 8 0 0 0-8 8v8a8 8 0 0 0 '
    '8 8h10M31 34l5 5-5 5"/>',
    "Gradients": '<path d="M82 16C60 16 56 46 14 48M21 42l-7 6 8 5"/>',
    "Gates": '<path d="M10 32h26M60 32h26"/><circle cx="48" cy="32" r="12"/>'
    '<path d="M40 41l16-18"/>',
    "Look inside": '<circle cx="44" cy="29" r="15"/><path d="M55 40l15 12"/>'
    '<path d="M37 33v-6M44 33v-10M51 33v-4"/>',
}
TICK = (  # seen on the way to a page that was visited
    '<svg class="tick" viewBox="0 0 16 16" aria-hidden="true">'
    '<path d="M3 8.500l3.500 3.500L13 5"/></svg>'
)


def icon(station: str) -> str:
    lines = ICONS.get(station, '<path d="M20 32h56"/>')
    box = 'viewBox="0 0 96 64" aria-hidden="true"'
    return f'<svg class="thumb station-icon" {box}>{lines}</svg>'


def thumbnail(svg: str) -> str:
    """A figure without its words and ticks, to a tenth of a point."""
    for prefix, name in NAMES.items():
        ET.register_namespace(prefix, name)
    root = ET.fromstring(re.sub(r"<!DOCTYPE.*?>", "", svg, flags=re.S))
    for parent in list(root.iter()):
        for child in list(parent):
            if is_small(parent, child):
                parent.remove(child)
    style = ET.Element("style")
    thin = "vector-effect:non-scaling-stroke;stroke-width:1.25px!important"
    style.text = f"path,use{{{thin}}}"
    root.append(style)
    text = ET.tostring(root, encoding="unicode")
    text = re.sub(r"-?\d+\.\d{2,}", lambda n: f"{float(n[0]):.1f}", text)
    return re.sub(r"\s+", " ", text).replace("> <", "><")


def is_small(parent: ET.Element, child: ET.Element) -> bool:
    """Words, ticks and a grid; the box around a word is a part of the picture."""
    name = child.get("id", "")
    if parent.get("id", "").startswith("text_"):
        return not name.startswith("patch_")
    if child.tag.rpartition("}")[2] in ("metadata", "text", "title", "desc"):
        return True
    return name.startswith(("legend_", "xtick_", "ytick_"))


# ------------------------------------------------------------ how things are drawn


def number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "\N{MINUS SIGN}")


def at(value: float) -> str:
    """A coordinate: a tenth of a pixel is enough."""
    return f"{value:.1f}".removesuffix(".0")


def text(x: float, y: float, words: str, css: str = "", anchor: str = "middle") -> str:
    css = f' class="{css}"' if css else ""
    return (
        f'<text x="{at(x)}" y="{at(y)}" text-anchor="{anchor}"{css}>'
        f"{escape(words)}</text>"
    )


def line(points, css: str) -> str:
    way = "L".join(f"{at(x)} {at(y)}" for x, y in points)
    return f'<path class="{css}" d="M{way}"/>'


def box(x, y, width, height, css: str, round_: float = 0) -> str:
    rx = f' rx="{at(round_)}"' if round_ else ""
    size = f'width="{at(width)}" height="{at(height)}"'
    return f'<rect class="{css}" x="{at(x)}" y="{at(y)}" {size}{rx}/>'


def drawing(width: int, height: int, parts: list[str], alt: str, css: str) -> str:
    return (
        f'<svg class="{css}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(alt)}">{"".join(parts)}</svg>'
    )


# --------------------------------------------------------------- the cell at work


def cell(data: dict) -> str:
    """An LSTM cell step by step: values as bars, the gate, c thick and h thin.

    data: lists "value", "write", "c" and "h", one number a step.
    """
    left, step = 58, 52
    zero, tall = 58, 34 / max(abs(v) for v in data["value"])
    lane, high = 216, 34  # c and h lie between -1 and 1
    centers = [left + step * (t + 0.5) for t in range(len(data["value"]))]
    end = left + step * len(centers)
    parts = [box(4, 132, end, 182, "frame", 10)]
    parts += [text(12, y, words, css, "start") for y, words, css in LABELS]
    parts += [line([(left, zero), (end, zero)], "axis")]
    parts += [line([(left, lane), (end, lane)], "axis")]
    for t, x in enumerate(centers):
        value, open_ = data["value"][t], data["write"][t]
        top = min(zero, zero - tall * value)
        parts += [
            text(x, 16, str(t + 1), "quiet"),
            box(x - 11, top, 22, tall * abs(value), "value"),
            text(x, 110, number(value)),
        ]
        way = [(x, 116), (x, 146 if open_ else 124)]
        parts += [line(way, "open" if open_ else "shut")]
        if open_:
            parts += [line([(x - 4, 142), (x, 149), (x + 4, 142)], "open")]
        else:
            parts += [line([(x - 8, 125), (x + 8, 125)], "shut")]
        parts += [text(x, 164, str(open_), "flag on" if open_ else "flag quiet")]
    for name in "ch":
        steps, last = [(left, lane)], 0.0
        for x, new in zip(centers, data[name], strict=True):
            steps += [(x - 8, lane - high * last), (x + 8, lane - high * new)]
            last = new
        parts += [line([*steps, (end, lane - high * last)], f"lane-{name}")]
    for name, y in (("c", 276), ("h", 300)):
        parts += [
            text(x, y, number(v), f"number-{name}")
            for x, v in zip(centers, data[name], strict=True)
        ]
    return drawing(end + 8, 318, parts, cell_in_words(data), "cell-picture")


LABELS = [
    (16, "step", "quiet"),
    (62, "value", ""),
    (164, "write", ""),
    (276, "c", "number-c"),
    (300, "h", "number-h"),
]


def cell_in_words(data: dict) -> str:
    steps = [
        f"step {t}: value {number(value)}, write {write}, c {number(c)}, h {number(h)}"
        for t, (value, write, c, h) in enumerate(
            zip(data["value"], data["write"], data["c"], data["h"], strict=True), 1
        )
    ]
    return "An LSTM cell over six steps. " + "; ".join(steps) + "."


# ------------------------------------------------------------- one for each claim

WIDE, HIGH = 320, 128


def bars(data: dict) -> str:
    """data: "values", "labels" below them (maybe empty), "alt", "right": indices."""
    values, labels = data["values"], data["labels"] or [""] * len(data["values"])
    step, foot, most = (WIDE - 16) / len(values), HIGH - 24, max(values)
    parts = [line([(8, foot), (WIDE - 8, foot)], "axis")]
    for i, (value, label) in enumerate(zip(values, labels, strict=True)):
        x, tall = 8 + step * (i + 0.5), (foot - 20) * value / most
        css = "right" if i in data["right"] else "value"
        wide = min(20, step - 4)
        parts += [box(x - wide / 2, foot - tall, wide, tall, css)]
        parts += [text(x, HIGH - 6, label, "label")]
        if data["digits"] is not None:
            parts += [text(x, foot - tall - 6, number(value, data["digits"]))]
        elif i in data["right"]:
            parts += [f'<circle class="right" cx="{at(x)}" cy="{at(foot)}" r="4"/>']
    return drawing(WIDE, HIGH, parts, data["alt"], "claim-picture")


def curves(data: dict) -> str:
    """data: "lines", a list for each name; maybe "band", two lists; "alt"."""
    named, band = data["lines"], data.get("band")
    every = [v for values in [*named.values(), *(band or [])] for v in values]
    low, top = min(*every, 0), max(every)
    right = WIDE - 116

    def place(values):
        wide = right / (len(values) - 1)
        tall = (HIGH - 24) / (top - low)
        return [(8 + wide * i, 12 + tall * (top - v)) for i, v in enumerate(values)]

    parts = []
    if band:
        parts += [line([(8, place([low] * 2)[0][1]), (8 + right, HIGH - 12)], "axis")]
        below, above = map(place, band)
        parts += [line([*below, *reversed(above)], "band")]
    for i, (name, values) in enumerate(named.items()):
        points = place(values)
        parts += [line(points, f"curve curve-{i}")]
        parts += [text(right + 13, points[-1][1] + 4, name, f"name-{i}", "start")]
    return drawing(WIDE, HIGH, parts, data["alt"], "claim-picture")


def grid(data: dict) -> str:
    """data: "rows" of 0 nothing, 1 kept, 2 lost; "alt"."""
    rows = data["rows"]
    size = (HIGH - 8) / len(rows)
    left = (WIDE - size * len(rows)) / 2
    side = size - 1.5
    parts = [
        box(left + size * k, 4 + size * t, side, side, ("", "value", "lost")[kind])
        for t, row in enumerate(rows)
        for k, kind in enumerate(row)
        if kind
    ]
    return drawing(WIDE, HIGH, parts, data["alt"], "claim-picture")
