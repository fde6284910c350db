"""The nightly run: its stages in order, its log, its processes and its schedule."""
