"""Routes described in words, and what a generative router needs to read them: prompts, answers, networks, scores."""

from toolkit.routes.table import OTHER, Route, RouteTable

__all__ = ["OTHER", "Route", "RouteTable"]
