"""What waits for people: where it comes from, how it is listed, what of it was seen."""
