"""The demo: one small month from outage to credit, in a database of its own.

files.py    the example folder, read as acts in order of time
place.py    a new database in the demo's own folder
play.py     the acts, and the nights between them
summary.py  the figures that finance asks for afterwards
page.py     the same as one page, with the month as a picture
"""
