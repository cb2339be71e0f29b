"""Bandit policies: what learns from the answers that come back."""
