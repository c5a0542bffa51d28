"""What a kill, a crash or a merge may have left behind, and what mends it: one line each."""
