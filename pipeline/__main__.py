"""The commands: `python -m pipeline --help` lists them."""

from pipeline.commands.app import main

if __name__ == "__main__":
    main()
