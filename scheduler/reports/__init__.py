"""The months of Article 9 for people: what was known when, what if, what differs, and the pages that explain it.

Read only: `sla` decides, `billing` turns awards into yen, and here both are shown together.
"""
