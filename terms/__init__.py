"""The contract as data, and the words everything else speaks.

Decides nothing by itself: clauses, numbers and readings per terms version, Japanese days and months, whole
yen, and the form of a Decision. Imports nothing else of ours, no database, no network, no clock.
"""
