"""`python -m clipd` is `clipd`."""

from clipd.cli import main

if __name__ == "__main__":
    main()
