"""Calendars as people write them (iCalendar, iTIP): text, times, rules of repetition, events. Pure."""
