"""How fast the engines train, beside what others use: run by `make bench`."""
