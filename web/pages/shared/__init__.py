"""How pages are made: words in both languages, cells and blocks, screens, acts as forms."""
