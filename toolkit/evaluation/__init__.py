"""Honest comparisons: curves, paired statistics, tidy frames with intervals."""
