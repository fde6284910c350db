"""The words of the pages, in TOML: English as it stands in the code, and its Japanese."""
