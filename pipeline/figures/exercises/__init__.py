"""The picture of each exercise, drawn from its two outcomes."""
