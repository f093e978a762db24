"""`python -m agent` is `sentinode`."""

from agent.cli import main

if __name__ == "__main__":
    main()
