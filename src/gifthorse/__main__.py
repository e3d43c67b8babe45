"""``python -m gifthorse``."""

from gifthorse.cli import main

if __name__ == "__main__":
    main()
