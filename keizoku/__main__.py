"""`python -m keizoku` is the command `keizoku`."""

from keizoku.scheduler.cli import main

if __name__ == "__main__":
    main()
