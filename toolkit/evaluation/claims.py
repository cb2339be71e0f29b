"""What is not measured here: the words for it, and what others claim, kept apart from every measurement."""

# Milliseconds added by routing one prompt, from the survey of open routers (2026-04-17) that this project was begun to
# check. tx402 is the commercial router that the survey looks for a replacement of.
LATENCY_CLAIMS_MS: dict[str, tuple[float, float]] = {
    "tx402: classifier": (3, 3),
    "tx402: routing": (5, 10),
    "RouteLLM BERT (110M), CPU": (1, 5),
    "Arch-Router 1.5B, GPU": (50, 100),
}
# The same survey's other figures of tx402. Its public material supports none of them: it shows "20+" models and callers
# that name the model themselves. "About 90% accuracy" does not say of what.
TX402: dict[str, float] = {"accuracy": 0.9, "cheaper": 0.7, "models": 40, "least_ms": 8, "most_ms": 13}
# Arch-Router: figure -> (the survey, what its authors published in arXiv 2506.16655 and in their gateway's demo).
ARCH_ROUTER: dict[str, tuple[str, str]] = {
    "accuracy": (
        "93% against GPT-4's 85%",
        "93.17 against GPT-4o's 89.74; 85.43 is the mean of six commercial models. Its conversations and its "
        "descriptions of CLINC150's routes are not published.",
    ),
    "latency": (
        "50 to 100 ms on a GPU",
        "51 ms (sd 12) on an L40S, 2,000 prompts; the gateway's demo logs 203 and 327 ms.",
    ),
}
NO_GPU = "not measured on a GPU"
