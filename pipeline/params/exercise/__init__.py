"""The section `exercise`: the six, one module each. The shipped values are those of the published numbers."""
