"""What is not measured here: the words for it, and what others claim, kept apart from every measurement."""

# Milliseconds added by routing one prompt, from the survey of open routers (2026-04-17) that this project was begun to
# check. tx402 is the commercial router that the survey looks for a replacement of.
LATENCY_CLAIMS_MS: dict[str, tuple[float, float]] = {
    "tx402: classifier": (3, 3),
    "tx402: routing": (5, 10),
    "RouteLLM BERT (110M), CPU": (1, 5),
    "Arch-Router 1.5B, GPU": (50, 100),
}
ACCURACY_CLAIM = 0.9  # tx402's "about 90% accuracy", of what it does not say
NO_GPU = "not measured on a GPU"
