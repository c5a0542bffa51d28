"""What stands before every server here: who may ask, how much, and what a refusal looks like."""
