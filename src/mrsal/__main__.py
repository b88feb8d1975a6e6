"""``python -m mrsal``: the same as ``mrsal``."""

from mrsal.cli import main

if __name__ == "__main__":
    main()
