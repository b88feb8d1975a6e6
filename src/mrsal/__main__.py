"""Run the command line with ``python -m mrsal``."""

from mrsal.cli import main

if __name__ == "__main__":
    main()
