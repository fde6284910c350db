"""Other stated availability promises, worked out on the same evidence."""
