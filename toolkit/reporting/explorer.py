"""The explorer: a run's trade-offs under live controls in JupyterLab; all it shows is a value in Python as well."""

import html
import io
import math
import threading
from pathlib import Path

import ipywidgets
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from toolkit import figures
from toolkit.evaluation import exploring
from toolkit.reporting import page, reading
from toolkit.reporting.explored import View

_MODES = (("Quality", "quality"), ("Weight", "weight"), ("Budget", "budget"))
_LIVE_DPI = 120  # of the pictures under the controls: a redraw has to keep up with a slider
_WIDE = {"width": "auto"}
_STYLE = """<style>.explored table { border-collapse: collapse; font-size: 12px; font-variant-numeric: tabular-nums; }
.explored th, .explored td { padding: 4px 14px 4px 0; text-align: left; white-space: nowrap; line-height: 1.3;
border-bottom: 1px solid var(--jp-border-color2, #ddd); } .explored thead th { white-space: normal; }</style>"""


class Explorer(ipywidgets.VBox):
    """Routers of a run at a cost weight or within a budget: curve, split over the models, cost and saving.

    At first the best routers that read nothing but text are chosen, at half of what the best single model spends.

    Args:
        run: a run as read, or its folder.
        dataset: label of the data set to start with; the run's first where it has none of that name.
        monthly_requests: volume for the dollars of a month.

    Attributes:
        dataset, analysis, routers, mode, weight, budget, requests: the controls. Set the ``value`` of one and all
            that is shown follows; ``mode`` is quality, weight or budget. Each view has a weight and a budget of its
            own, in its own units.
        view: the ``explored.View`` shown, with the figures.

    Raises:
        ToolkitError: no run, or one without curves.
    """

    def __init__(self, run: reading.Run | Path | str, dataset: str = "", monthly_requests: int = 1_000_000):
        self._run = run if isinstance(run, reading.Run) else reading.read(Path(run), finished=False)
        self._available = exploring.available(self._run.curves)
        self._opened: dict[tuple[str, str], tuple[exploring.Tradeoffs, dict[str, ipywidgets.Widget]]] = {}
        self._moving, self._turn = False, threading.RLock()
        self._state: tuple = ()
        self.dataset = ipywidgets.Dropdown(options=list(self._available), layout=_WIDE)
        self.analysis = ipywidgets.Dropdown(layout=_WIDE)
        self.routers = ipywidgets.SelectMultiple(rows=10, layout=_WIDE)
        self.mode = ipywidgets.ToggleButtons(options=_MODES, value="budget", style={"button_width": "83px"})
        self.requests = ipywidgets.BoundedIntText(monthly_requests, min=0, max=10**12, layout=_WIDE)
        self._slider, self._told, self._shown = ipywidgets.VBox(), ipywidgets.HTML(), ipywidgets.HTML()
        self._curve, self._split = (ipywidgets.Image(layout={"max_width": "100%"}) for _ in range(2))
        self._shown.add_class("explored")
        pictures = ipywidgets.VBox([self._curve, self._split], layout={"flex": "1 1 420px", "min_width": "0"})
        beside = ipywidgets.HBox([self._panel(), pictures], layout={"flex_flow": "row wrap"})  # under it where narrow
        super().__init__([self._told, beside, self._shown])
        if dataset in self._available:
            self.dataset.value = dataset
        figures.use_style()
        self._name_analyses()
        self._open()
        self._follow()
        for control in (self.dataset, self.analysis, self.routers, self.mode, self.requests):
            control.observe(self._moved, names="value")

    @property
    def chosen(self) -> pd.DataFrame:
        """``exploring.chosen`` of what is shown, numbers in full precision, for a notebook to go on with."""
        return self.view.chosen

    @property
    def split(self) -> pd.DataFrame:
        """Share of prompts per model (columns) of each router (index) at its point."""
        return self.view.split

    def _panel(self) -> ipywidgets.VBox:
        rows = [
            *(ipywidgets.Label("Data"), self.dataset, ipywidgets.Label("View"), self.analysis),
            *(ipywidgets.Label("Routers (Ctrl or Cmd for several)"), self.routers),
            *(ipywidgets.Label("Operating point"), self.mode),
            self._slider,
            *(ipywidgets.Label("Requests a month"), self.requests),
        ]
        return ipywidgets.VBox(rows, layout={"width": "300px", "flex": "0 0 auto"})

    def _moved(self, change: dict) -> None:
        """A control was moved, here or in the browser; those that it moves in turn start nothing of their own.

        JupyterLab hands messages of a browser to more than one thread of a kernel, so they wait for their turn here.
        """
        with self._turn:
            if self._moving:
                return
            self._moving = True
            try:
                if change["owner"] is self.dataset:
                    self._name_analyses()
                if change["owner"] in (self.dataset, self.analysis):
                    self._open()
                self._follow()
            finally:
                self._moving = False

    def _name_analyses(self) -> None:
        names, before = self._available[self.dataset.value], self.analysis.value
        self.analysis.options = [(exploring.ANALYSES[name][0], name) for name in names]
        self.analysis.value = before if before in names else names[0]

    def _open(self) -> None:
        """Another data set or analysis: its routers and its sliders.

        Sliders are made once a view: a browser that is told another range answers with the old value, clipped.
        """
        key = self.dataset.value, self.analysis.value
        if key not in self._opened:
            offer = exploring.tradeoffs(self._run.curves, self._run.choices, *key)
            self._opened[key] = offer, _sliders(offer)
            for slider in self._opened[key][1].values():
                slider.observe(self._moved, names="value")
        offer, sliders = self._opened[key]
        self._offer, self.weight, self.budget = offer, sliders["weight"], sliders["budget"]
        sees = self._sees(*key)
        told = {name: f" (sees {what})" for name, what in sees.items() if what in exploring.NOT_FOR_USE}
        ordered = sorted(offer.systems, key=lambda name: name in told)  # those that nobody could use come last
        self.routers.options = [(name + told.get(name, ""), name) for name in ordered]
        self.routers.value = exploring.leading(offer, sees)

    def _sees(self, dataset: str, analysis: str) -> dict[str, str]:
        """What each system reads, where the measurements say so."""
        rows = self._run.measurements
        rows = rows[(rows["dataset"] == dataset) & (rows["analysis"] == analysis)].dropna(subset="sees")
        return dict(zip(rows["system"], rows["sees"], strict=True))

    def _follow(self) -> None:
        """Show what the controls say, unless it is shown: moves that came during a redraw are drawn as one."""
        offer, mode, systems, requests = self._offer, self.mode.value, self.routers.value, self.requests.value
        slider = {"weight": self.weight, "budget": self.budget}.get(mode)
        point = {"weight": 0.0} if slider is None else {mode: slider.value}
        before, self._state = self._state, (offer.dataset, offer.analysis, systems, *point.items(), requests)
        if before == self._state:
            return
        self.view = View(self._run, offer, systems, **point, monthly_requests=requests)
        shown = [] if slider is None else [ipywidgets.Label(_unit(mode, offer.in_dollars)), slider]
        if [*self._slider.children[1:]] != shown[1:]:
            self._slider.children = shown
        self._told.value = f'<div style="line-height: 1.4"><b>{html.escape(self.view.told)}</b></div>'
        self._shown.value = _STYLE + page.as_html(self.view.table)
        if before[:-1] != self._state[:-1]:
            self._curve.value = _png(self.view.curve_figure())
            self._split.layout.display = None if len(self.split) else "none"
            if len(self.split):
                self._split.value = _png(self.view.split_figure())


def _sliders(offer: exploring.Tradeoffs) -> dict[str, ipywidgets.Widget]:
    """A weight and a budget for one view, by mode."""
    low, high = offer.weights()
    weight = _log_slider(low, high, math.sqrt(low * high))
    if not offer.in_dollars:
        share = {"min": 0, "max": 1, "step": 0.01, "readout_format": ".0%"}
        return {"weight": weight, "budget": ipywidgets.FloatSlider(0.5, **share, layout=_WIDE)}
    least, most = offer.budgets()
    most = most or 1.0  # every call is free
    least = least or most / 1000
    half = (most if offer.best_single is None else offer.best_single["spent"]) / 2
    return {"weight": weight, "budget": _log_slider(least, 1.01 * most, min(max(half, least), most))}


def _log_slider(low: float, high: float, value: float) -> ipywidgets.FloatLogSlider:
    """A slider over a range above 0, its value on the grid of steps, where a browser would put it."""
    start, step = math.log10(low), 0.01
    on_grid = 10 ** (start + step * round((math.log10(value) - start) / step))
    return ipywidgets.FloatLogSlider(
        on_grid, min=start, max=math.log10(high), step=step, readout_format=".3g", layout=_WIDE
    )


def _unit(mode: str, in_dollars: bool) -> str:
    if mode == "weight":
        return f"Quality given up per {'dollar' if in_dollars else 'strong call'}"
    return f"{'USD per 1,000 prompts' if in_dollars else 'Strong calls'}, at most"


def _png(figure: Figure) -> bytes:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=_LIVE_DPI)
    plt.close(figure)
    return picture.getvalue()
