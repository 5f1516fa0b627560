"""``python -m needle`` is the ``needle`` command."""

from needle.commands.cli import main

if __name__ == "__main__":
    main()
