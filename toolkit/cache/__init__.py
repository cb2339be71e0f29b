"""The semantic cache, from its index up."""
