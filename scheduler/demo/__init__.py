"""The demo: one small month from outage to credit, in a database of its own.

files.py    what the example folder says, as acts in order of time
place.py    a fresh database, and nobody else's removed
play.py     the acts, and the nights between them
summary.py  what finance wants to know afterwards
page.py     the same as one page, with the month as a picture
"""
