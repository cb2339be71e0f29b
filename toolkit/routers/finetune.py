"""Fine-tuning of a sequence classifier on outcomes: seeded, stopped early, and never lost to a kill."""

import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from toolkit import hardware, paths
from toolkit.encoders.graph import weights_hash
from toolkit.errors import ToolkitError
from toolkit.outcomes import Outcomes
from toolkit.routers.bert import by_length, check_length, load_classifier

log = logging.getLogger(__name__)

BLOCK = 20  # steps that share one random stream: training can go on exactly at the border of any two blocks
SAVE_EVERY_S = 60.0


def finetune(
    train: Outcomes, options: Mapping[str, Any], save_every_s: float = SAVE_EVERY_S
) -> tuple[Any, Any, list[dict[str, float]]]:
    """Train all weights on soft labels with cross-entropy, unobserved cells left out.

    Progress is kept in the cache folder under the hashes of data, options and first weights; the same call after a kill
    goes on from there and ends with the same weights. The file is removed at the end.

    Args:
        train: outcomes; a share of their prompts becomes the validation part (all of them are, where that share is
            not a single prompt or leaves none to train on: with so few, nothing can be held out).
        options: parameters of ``BertRouter``.
        save_every_s: seconds between two writes of the progress.

    Returns:
        network and tokenizer on the CPU, and one row per epoch: epoch, training_loss, validation_loss.
    """
    import torch

    parts = train.split(options["validation"], options["seed"]) if _can_split(train, options) else (train, train)
    with torch.random.fork_rng(devices=[]):  # the caller's own random stream is left as it was
        torch.manual_seed(options["seed"])
        network, tokenizer = load_classifier(options["checkpoint"], labels=len(train.names))
    check_length(network, tokenizer, options["max_tokens"])
    tokenizer.model_max_length = options["max_tokens"]
    path = progress_path(train, options, network)
    lock = FileLock(f"{path}.lock", timeout=0)
    training = _Training(network, tokenizer, parts, options)
    with torch.random.fork_rng():
        try:
            with lock:
                history = training.run(path, save_every_s)
        except Timeout:  # somebody else trains the very same router and keeps the file
            history = training.run(None, save_every_s)
    return network.cpu().eval(), tokenizer, history


def progress_path(train: Outcomes, options: Mapping[str, Any], network: Any) -> Path:
    """Where the progress of this very training is kept; a checkpoint of the same name may hold other weights by now."""
    key = weights_hash(network, sorted(options.items()), train.sha256)
    return paths.writable_cache("training") / f"{key}.pt"


def _can_split(train: Outcomes, options: Mapping[str, Any]) -> bool:
    distinct = int(train.groups.max()) + 1
    return 0 < round(options["validation"] * distinct) < distinct


class _Training:
    """State of one training: network, optimizer and where it stands."""

    def __init__(self, network: Any, tokenizer: Any, parts: tuple[Outcomes, Outcomes], options: Mapping[str, Any]):
        self.network, self.tokenizer, self.options = network, tokenizer, options
        self.device = hardware.resolve_device(options["device"])
        network.to(self.device)
        self.optimizer = self._new_optimizer()
        self.train, self.validation = parts
        self.per_epoch = -(-len(self.train) // options["batch"])
        self.at = {"epoch": 0, "step": 0, "loss": 0.0, "waited": 0}
        self.history: list[dict[str, float]] = []
        self.best: dict[str, Any] | None = None

    def run(self, path: Path | None, save_every_s: float) -> list[dict[str, float]]:
        """Train to the end, from the file's state where there is one; leaves the best weights in the network."""
        self._resume(path)
        saved = time.monotonic()
        total = self.options["epochs"] * self.per_epoch
        with tqdm(total=total, initial=self._steps(), desc="fine-tuning", unit="step", disable=None) as bar:
            while self.at["epoch"] < self.options["epochs"] and self.at["waited"] < self.options["patience"]:
                bar.update(self._block())
                if self.at["step"] >= self.per_epoch:
                    self._end_epoch()
                if path and time.monotonic() - saved >= save_every_s:
                    self._save(path)
                    saved = time.monotonic()
        if self.best is not None:
            self.network.load_state_dict(self.best)
        if path:
            path.unlink(missing_ok=True)
        return self.history

    def _new_optimizer(self) -> Any:
        import torch

        rate, decay = self.options["learning_rate"], self.options["weight_decay"]
        return torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=decay)

    def _steps(self) -> int:
        return self.at["epoch"] * self.per_epoch + self.at["step"]

    def _block(self) -> int:
        """At most ``BLOCK`` steps, from a random stream of their own; returns how many."""
        import torch

        self.network.train()
        torch.manual_seed((self.options["seed"] + 1) * 1_000_003 + self._steps())
        batches = self._batches()[self.at["step"] : self.at["step"] + BLOCK]
        for rows in batches:
            for group in self.optimizer.param_groups:
                group["lr"] = self.options["learning_rate"] * self._schedule()
            self.optimizer.zero_grad()
            loss = self._loss(self.train, rows)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
            self.optimizer.step()
            self.at["step"] += 1
            self.at["loss"] += float(loss.detach()) / self.per_epoch
        return len(batches)

    def _batches(self) -> list[np.ndarray]:
        """Rows of each step of this epoch: shuffled, with prompts of like length together in windows of 16 batches."""
        rng = np.random.default_rng((self.options["seed"], self.at["epoch"]))
        order, size = rng.permutation(len(self.train)), self.options["batch"]
        length = np.array([len(text) for text in self.train.texts])
        windows = [order[start : start + 16 * size] for start in range(0, len(order), 16 * size)]
        ordered = np.concatenate([window[length[window].argsort(kind="stable")] for window in windows])
        batches = [ordered[start : start + size] for start in range(0, len(ordered), size)]
        return [batches[index] for index in rng.permutation(len(batches))]

    def _schedule(self) -> float:
        total = self.options["epochs"] * self.per_epoch
        done, warm = self._steps(), max(1, total // 10)
        return min((done + 1) / warm, (total - done) / max(1, total - warm), 1.0)

    def _loss(self, outcomes: Outcomes, rows: np.ndarray) -> Any:
        import torch

        (found,) = by_length(
            self.tokenizer, [outcomes.texts[row] for row in rows], self.options["max_tokens"], len(rows)
        )
        goal = torch.as_tensor(outcomes.quality[rows[found[0]]], device=self.device)
        logits = self.network(**found[1].to(self.device)).logits
        seen = ~torch.isnan(goal)
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits[seen], goal[seen], reduction="sum")
        return losses / max(1, int(seen.sum()))

    def _end_epoch(self) -> None:
        import torch

        self.network.eval()
        size = 64
        with torch.inference_mode():
            parts = [
                np.arange(start, min(start + size, len(self.validation)))
                for start in range(0, len(self.validation), size)
            ]
            losses = np.array([float(self._loss(self.validation, rows)) for rows in parts])
        seen = np.array([np.isfinite(self.validation.quality[rows]).sum() for rows in parts])
        judged = float(losses @ seen) / max(1, int(seen.sum()))
        if not np.isfinite(judged):
            raise ToolkitError(
                f"fine-tuning: a finite validation loss was expected; found {judged} in epoch {self.at['epoch'] + 1}. "
                f"Try a smaller learning_rate than {self.options['learning_rate']:g}."
            )
        row = {"epoch": self.at["epoch"] + 1, "training_loss": self.at["loss"], "validation_loss": judged}
        self.history.append(row)
        log.info("epoch %(epoch)d: training loss %(training_loss).4f, validation loss %(validation_loss).4f", row)
        better = judged < min((old["validation_loss"] for old in self.history[:-1]), default=np.inf)
        if better:
            self.best = {name: tensor.detach().clone() for name, tensor in self.network.state_dict().items()}
        waited = 0 if better else self.at["waited"] + 1
        self.at = {"epoch": self.at["epoch"] + 1, "step": 0, "loss": 0.0, "waited": waited}

    def _save(self, path: Path) -> None:
        import torch

        part = path.with_suffix(f".{os.getpid()}.part")
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "best": self.best,
            "at": self.at,
            "history": self.history,
        }
        torch.save(state, part)
        part.replace(path)

    def _resume(self, path: Path | None) -> None:
        import torch

        if path is None or not path.is_file():
            return
        untouched = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        try:
            state = torch.load(path, map_location=self.device, weights_only=True)  # tensors and plain values only
            found = state["best"], state["at"], state["history"]
            self.optimizer.load_state_dict(state["optimizer"])
            self.network.load_state_dict(state["network"])
        except Exception as err:  # whatever is wrong with the file, training anew is right
            log.warning("%s: the kept progress cannot be used (%s); training starts anew.", path, err)
            self.network.load_state_dict(untouched)
            self.optimizer = self._new_optimizer()
            path.unlink()
            return
        self.best, self.at, self.history = found
