"""Scoring answers after a prompt that nearly always begins the same: keys and values of the beginning are kept.

Free generation runs the network once a token. Scored candidates need one run for all: their tokens form a tree behind
the prompt, in which each node sees the prompt and its own ancestors (the tree attention of speculative decoding,
SpecInfer, arXiv 2305.09781); where one token tells the candidates apart, the run ends before it.
"""

import inspect
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Tree:
    """Candidates that share their beginnings: every distinct beginning but the whole ones is a node.

    Attributes:
        tokens: of each node.
        parents: its parent's place; -1 for the prompt.
        paths: for each candidate, (place of what stands before, token) of its tokens in order; -1 for the prompt.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    paths: tuple[tuple[tuple[int, int], ...], ...]

    @classmethod
    def of(cls, candidates: Sequence[Sequence[int]]) -> "Tree":
        """The tree of candidates, none of which may be empty."""
        places: dict[tuple[int, ...], int] = {}
        tokens, parents, paths = [], [], []
        for candidate in candidates:
            before, path = -1, []
            for end, token in enumerate(candidate, start=1):
                path.append((before, token))
                if end == len(candidate):
                    break
                key = tuple(candidate[:end])
                if key not in places:
                    places[key] = len(tokens)
                    tokens.append(token)
                    parents.append(before)
                before = places[key]
            paths.append(tuple(path))
        return cls(tuple(tokens), tuple(parents), tuple(paths))

    def depths(self) -> list[int]:
        """Of each node; those right behind the prompt have 0."""
        found: list[int] = []
        for parent in self.parents:
            found.append(0 if parent < 0 else found[parent] + 1)
        return found

    def sees(self) -> np.ndarray:
        """Which nodes each node attends to, bool (nodes, nodes): itself and its ancestors."""
        seen = np.eye(len(self.tokens), dtype=bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


class Scorer:
    """A network behind one beginning, whose keys and values are made once; any thread may call it.

    Args:
        network: a causal model of transformers, in evaluation mode.
        prefix: token ids that prompts begin with; as many as a prompt shares with them are not run again.
    """

    def __init__(self, network: Any, prefix: Sequence[int] = ()):
        self.network = network
        self.prefix = tuple(prefix)
        self._kept: list[tuple[Any, Any]] | None = None
        self._lock = threading.Lock()
        self._cache_argument = cache_argument(network.model)

    def warm(self) -> None:
        """Run the beginning now rather than with the first prompt."""
        import torch

        with self._lock, torch.inference_mode():
            if self._kept is None:
                cache = self._new_cache(0)
                if self.prefix:
                    self._forward(list(self.prefix), 0, cache)
                self._kept = [tuple(layer[:2]) for layer in cache]

    def next_token(self, ids: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """Logits of some tokens as what comes next, float64 (len(tokens),): one run, and as many rows of the head.

        Args:
            ids: the whole prompt.
        """
        import torch

        with torch.inference_mode():
            hidden = self._run(ids)[0, -1:].float()
            rows = self.network.lm_head.weight[torch.tensor(list(tokens), device=self.network.device)].float()
            return (hidden @ rows.T)[0].double().cpu().numpy()

    def tree(self, ids: Sequence[int], candidates: Sequence[Sequence[int]]) -> np.ndarray:
        """Log probability of each candidate as what follows, float64 (len(candidates),), in one run.

        Args:
            ids: the whole prompt.
            candidates: token ids, none empty.
        """
        import torch

        tree = Tree.of(candidates)
        with torch.inference_mode():
            logits = self._head(self._run(ids, tree)[0, -1 - len(tree.tokens) :])
            pairs = [pair for path in tree.paths for pair in path]
            rows, tokens = torch.tensor(pairs, device=logits.device).T
            chances = (logits[rows + 1, tokens].double() - logits.logsumexp(dim=-1)[rows + 1].double()).cpu().numpy()
        ends = np.cumsum([len(path) for path in tree.paths])
        return np.array([part.sum() for part in np.split(chances, ends[:-1])])

    def greedy(self, ids: Sequence[int], ends: Collection[int], most: int) -> list[int]:
        """The likeliest token after the other until one of ``ends``, which is left out, or ``most`` of them."""
        import torch

        found: list[int] = []
        with torch.inference_mode():
            seen = self._shared(ids)
            cache, step = self._new_cache(seen), list(ids[seen:])
            while len(found) < most:
                token = int(self._head(self._forward(step, seen, cache)[0, -1:])[0].argmax())
                if token in ends:
                    break
                found.append(token)
                seen, step = seen + len(step), [token]
        return found

    def _run(self, ids: Sequence[int], tree: Tree | None = None) -> Any:
        """Hidden states (1, tokens, d) of what the cache lacks of the prompt, and of a tree behind it."""
        seen = self._shared(ids)
        return self._forward(list(ids[seen:]), seen, self._new_cache(seen), tree)

    def _shared(self, ids: Sequence[int]) -> int:
        """How many tokens of the prompt need no run: never all, since the last one tells what comes next."""
        self.warm()
        most = min(len(self.prefix), len(ids) - 1)
        return next((at for at in range(most) if self.prefix[at] != ids[at]), most)

    def _new_cache(self, tokens: int) -> Any:
        """A cache of its own for one call, with the first tokens of the beginning in it."""
        from transformers import DynamicCache

        cache = DynamicCache()
        for layer, (keys, values) in enumerate(self._kept or ()):
            if tokens:
                cache.update(keys[..., :tokens, :], values[..., :tokens, :], layer)
        return cache

    def _forward(self, ids: list[int], seen: int, cache: Any, tree: Tree | None = None) -> Any:
        import torch

        extra = {}
        if tree and tree.tokens:
            own = len(ids)
            places = [*range(seen, seen + own), *(seen + own + depth for depth in tree.depths())]
            extra = {
                "position_ids": torch.tensor([places], device=self.network.device),
                "attention_mask": self._mask(own, seen, tree),
            }
            ids = [*ids, *tree.tokens]
        inputs = torch.tensor([ids], device=self.network.device)
        return self.network.model(input_ids=inputs, use_cache=True, **{self._cache_argument: cache}, **extra)[0]

    def _mask(self, own: int, seen: int, tree: Tree) -> Any:
        """What each new token attends to, as numbers added to its scores, (1, 1, new, seen + new)."""
        import torch

        new = own + len(tree.tokens)
        allowed = np.ones((new, seen + new), dtype=bool)
        allowed[:, seen:] = np.tri(new, dtype=bool)
        allowed[own:, seen + own :] = tree.sees()
        dtype = self.network.model.embed_tokens.weight.dtype
        mask = torch.zeros(allowed.shape, dtype=dtype).masked_fill(~torch.from_numpy(allowed), torch.finfo(dtype).min)
        return mask[None, None].to(self.network.device)

    def _head(self, hidden: Any) -> Any:
        """Logits (rows, vocabulary), float32."""
        return self.network.lm_head(hidden.to(self.network.lm_head.weight.dtype)).float()


def cache_argument(network: Any) -> str:
    """What this version of transformers calls the cache of keys and values."""
    return "cache" if "cache" in inspect.signature(network.forward).parameters else "past_key_values"


def shared(rows: Sequence[Sequence[int]]) -> list[int]:
    """What all rows begin with."""
    columns = zip(*rows, strict=False)
    return [tokens[0] for tokens in takewhile(lambda column: len(set(column)) == 1, columns)]
