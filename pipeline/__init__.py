"""Gradline: gradient-based learning, derived by hand, proved right, reproduced to the bit."""
