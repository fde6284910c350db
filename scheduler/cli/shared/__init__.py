"""What the groups of commands share: context, output, reading files."""
