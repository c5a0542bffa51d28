"""A page on which one draws a digit and sees what the networks make of it."""
