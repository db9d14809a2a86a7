"""`python -m hybridrank`, the same as the `hybridrank` command."""

from hybridrank.cli.__main__ import main

if __name__ == "__main__":
    main()
