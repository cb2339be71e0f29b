"""Finished runs of a few prompts, made on the spot."""

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toolkit.evaluation.metrics import METRICS
from toolkit.reporting import tables
from toolkit.reporting.run import MANIFEST, SCHEMA_VERSION, write_json

MANIFEST_OF_A_TINY_RUN = {
    "schema_version": SCHEMA_VERSION, "status": "complete", "failures": {}, "files": {},
    "started": "2026-01-01T03:00:00+00:00", "finished": "2026-01-01T03:04:00+00:00",
    "profile": "smoke", "seed": 0, "device": "cpu", "bootstraps": 200, "folds": 3,
    "data": {"d": {"sha256": "1" * 64, "prompts": 40, "prompts_used": 40, "models": ["small", "large"],
                   "cost_source": "priced", "synthetic": False}},
    "notebooks": [{"notebook": "02_compare_quality_and_cost.ipynb", "sha256": "2" * 64, "dataset": "d",
                   "folder": "02_compare_quality_and_cost--d", "front": [], "seconds": 1.0}],
    "code": {"commit": "3" * 40, "dirty": False, "sources_sha256": "4" * 64},
    "packages": {"numpy": "2.4.6", "torch": "2.13.0+cpu"},
    "machine": {"platform": "Linux-6.8.0-45-generic-x86_64-with-glibc2.36", "python": "3.11.7", "cpu": "EPYC",
                "cores": 2, "memory_gib": 23.5, "gpu": None},
}  # fmt: skip


def _measured(system: str, metric: str, value: float, **params: object) -> dict:
    return {
        "notebook": "02_compare_quality_and_cost", "dataset": "d", "split": "cv3", "system": system, "metric": metric,
        "value": value, "ci_low": value - 0.05, "ci_high": value + 0.05, "unit": METRICS[metric].unit, "n": 40,
        "seed": 0, "device": "cpu", "params": tables.canonical({"profile": "smoke", "folds": 3, **params}), "note": "",
    }  # fmt: skip


def _choices(better: float) -> pd.DataFrame:
    """Two systems on 40 prompts; ``better`` is added to the quality of knn."""
    rng, prompts = np.random.default_rng(0), [f"{row:016x}" for row in range(40)]
    quality, cost = rng.integers(0, 3, 40) / 4, rng.random(40) / 1000
    common = {"prompt": prompts, "group": prompts, "dataset": "d", "analysis": "cost", "seed": 0, "tokens": 9.0}
    systems = [
        {"system": "knn", "operating_point": "quality-first", "quality": quality + better, "cost_usd": cost},
        {"system": "knn", "operating_point": "0.50", "quality": quality, "cost_usd": cost / 2},
        {"system": "large", "operating_point": "rule", "quality": quality + 0.1, "cost_usd": np.full(40, 0.001)},
    ]
    frames = [pd.DataFrame(common | system | {"model": "large"}) for system in systems]
    return pd.concat(frames, ignore_index=True)


@pytest.fixture
def tiny_run(tmp_path) -> Callable[..., Path]:
    """A function that writes a finished run and returns its folder.

    Its arguments: ``name`` of the folder; ``better``, added to knn's quality; ``choices``, a frame of one's own;
    ``manifest``, what differs in it, mappings merged (None: no manifest); ``measured``, more rows of measurements as
    (system, metric, value, params).
    """

    def make(
        name: str = "run",
        better: float = 0.0,
        choices: pd.DataFrame | None = None,
        manifest: Mapping[str, Any] | None = {},
        measured: tuple = (),
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        rows = [
            _measured("knn", "apgr", 0.6, analysis="pair"),
            _measured("knn", "quality", 0.5 + better, analysis="cost", pool=2),
            _measured("knn", "p50_ms", 3.0, analysis="latency"),
            _measured("large", "quality", 0.6, analysis="cost", pool=2),
            *(_measured(system, metric, value, **params) for system, metric, value, params in measured),
        ]
        tables.write(folder, tables.MEASUREMENTS, pd.DataFrame(rows))
        tables.write(folder, tables.CHOICES, _choices(better) if choices is None else choices)
        tables.write(folder, tables.CURVES, pd.DataFrame(columns=tables.COLUMNS[tables.CURVES]))
        if manifest is not None:
            write_json(folder / MANIFEST, _merged(MANIFEST_OF_A_TINY_RUN, manifest))
        return folder

    return make


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = copy.deepcopy(dict(base))
    for name, value in changes.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merged(merged[name], value) if nested else value
    return merged
