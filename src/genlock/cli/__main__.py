"""``python -m genlock.cli`` is the command ``genlock``."""

from genlock.cli.app import main

if __name__ == "__main__":
    main()
