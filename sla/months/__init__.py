"""A month of Article 9 as recorded: its facts, its evidence, its history."""
