"""What comes in from outside, held to its limits: files as they are read, arguments and texts of acts."""
