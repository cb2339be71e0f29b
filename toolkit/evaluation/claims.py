"""What others claim and nobody here has measured, kept apart from every measurement."""

# The user's survey of 2026-04-17: milliseconds added by routing one prompt.
LATENCY_CLAIMS_MS: dict[str, tuple[float, float]] = {
    "tx402: classifier": (3, 3),
    "tx402: routing": (5, 10),
    "RouteLLM BERT (110M), CPU": (1, 5),
    "Arch-Router 1.5B, GPU": (50, 100),
}
