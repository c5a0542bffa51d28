"""Where samples come from: MNIST and its sources, the IDX format, normalisation, toy data."""
