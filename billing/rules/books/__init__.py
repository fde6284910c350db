"""The books as rules: journal, recognition, deferral. Pure."""
