"""The stages of dvc.yaml, a thin module each: read files, call the other rooms, write files."""
