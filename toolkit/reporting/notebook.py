"""What a notebook talks to: it loads by parameter, collects results and writes the tables."""

import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Image
from matplotlib.figure import Figure

from toolkit import datasets, figures, hardware, paths
from toolkit.evaluation.leaderboard import Comparison
from toolkit.evaluation.protocol import Predictions
from toolkit.outcomes import Outcomes
from toolkit.reporting import profiles, reading, tables
from toolkit.reporting.run import LEAD, write_json


class Notebook:
    """One execution of one notebook.

    Args:
        name: file name of the notebook without its ending.
        dataset: a data set's name or a table's path, with options behind a question mark.
        profile: smoke, quick or full.
        seed: of folds and resampling.
        device: auto, cpu or cuda.
        out: folder of results; empty means a temporary one.
    """

    def __init__(self, name: str, dataset: str, profile: str, seed: int, device: str, out: str):
        self.name = name
        self.dataset = dataset
        self.label = datasets.label(dataset)
        self.profile = profiles.get(profile)
        self.seed = seed
        self.device = hardware.resolve_device(device)
        self.folder = Path(out) if out else Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._params = {"profile": profile, "bootstraps": self.profile.bootstraps, "folds": self.profile.folds}
        self._parts: dict[str, list[pd.DataFrame]] = {table: [] for table in tables.COLUMNS}
        # Figures of an execution that was cut off must not survive into this one.
        shutil.rmtree(self.folder / "figures", ignore_errors=True)
        (self.folder / "figures").mkdir(parents=True, exist_ok=True)
        figures.use_style()
        pd.set_option("display.max_colwidth", 600)  # notes are read, not cut

    def load(self, most: int = 0) -> Outcomes:
        """The data set of this execution, thinned to the profile's size, or to ``most`` prompts where that is less."""
        limit = min(self.profile.max_prompts, most) if most else self.profile.max_prompts
        return datasets.load(self.dataset).sample(limit, self.seed)

    def read(self, run: str) -> reading.Run:
        """The run whose tables this notebook reads: that in ``run``, the committed example where it is empty."""
        return reading.read(Path(run) if run else paths.example_dir() / "synthetic", finished=False)

    def measure(self, rows: pd.DataFrame, split: str = "", by: Sequence[str] = (), **params: object) -> None:
        """Keep measurements: system, metric, value, ci_low, ci_high, unit, n, note and ``metrics.DETAILS``.

        Args:
            split: which prompts were judged (``cv5``, ``test``, or "" for all).
            by: columns of the rows that are such parameters too.
            params: what else a reader must know to repeat the figure.
        """
        device = {} if "device" in rows else {"device": self.device}  # rows may say where they were measured
        kept = rows.assign(notebook=self.name, dataset=self.label, split=split, seed=self.seed, **device)
        self._parts[tables.MEASUREMENTS].append(tables.fold(kept, self._params | params, by))

    def keep(self, comparison: Comparison, predictions: Predictions, analysis: str) -> None:
        """Keep a comparison's measurements, curves and choices under the name of the analysis (pair, cost)."""
        outcomes = predictions.outcomes
        models = {"models": outcomes.names} if analysis == "pair" else {"pool": len(outcomes.names)}
        self.measure(comparison.measurements, predictions.split, analysis=analysis, **models)
        common = {"dataset": self.label, "analysis": analysis, "seed": self.seed}
        self._parts[tables.CURVES].append(comparison.curves.assign(**common, split=predictions.split))
        hashes = tables.prompt_hashes(self.label, outcomes.prompts["prompt_id"])
        row = comparison.choices["row"]
        first = pd.Series(hashes).groupby(outcomes.groups).transform("first")  # a group is named by its first prompt
        kept = comparison.choices.drop(columns="row").assign(
            prompt=pd.Categorical.from_codes(row, hashes), group=pd.Categorical(first).take(row), **common
        )
        self._parts[tables.CHOICES].append(kept)

    def keep_answers(self, choices: pd.DataFrame, analysis: str) -> None:
        """Keep choices on queries that no model's outcome is known of: id, system, operating_point and model."""
        hashes = pd.Categorical(tables.prompt_hashes(analysis, choices["id"]))
        unknown = {"quality": np.float32("nan"), "tokens": np.nan, "cost_usd": np.nan}
        common = {"dataset": self.label, "analysis": analysis, "seed": self.seed}
        self._parts[tables.CHOICES].append(
            choices.drop(columns="id").assign(prompt=hashes, group=hashes, **unknown, **common)
        )

    def figure(self, figure: Figure, slug: str) -> Image:
        """Save a figure as PNG and SVG under its slug and hand the PNG back for display: no third rendering."""
        png, _ = figures.save(figure, self.folder / "figures" / slug)
        return Image(data=png.read_bytes(), format="png", width=figures.page_width(png), alt=slug.replace("_", " "))

    def lead(self, sentence: str, page: str, figure: str) -> None:
        """Say something on top of the report's front page.

        Args:
            sentence: in plain words.
            page: file beside this notebook that holds the rest.
            figure: slug of the figure below it.
        """
        write_json(self.folder / LEAD, {"sentence": sentence, "page": page, "figure": figure})

    def save(self) -> Path:
        """Write the tables; returns their folder."""
        for name, frames in self._parts.items():
            if frames:
                tables.write(self.folder, name, pd.concat(frames, ignore_index=True))
        return self.folder

    @staticmethod
    def versions() -> pd.Series:
        """Versions of what made these results."""
        packages = ("llm-routing-toolkit", "numpy", "scipy", "pandas", "scikit-learn")
        return pd.Series({name: version(name) for name in packages}, name="version")
