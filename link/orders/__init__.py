"""Orders: drafted, confirmed with the text shown, sent once, looked up where no answer came; never changed here."""
