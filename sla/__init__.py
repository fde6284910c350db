"""From outage evidence to unusable time to the decision of a claim (Article 9).

Ends at an award: account, month, rate, recognised windows, why. Yen are the business of `billing`.
"""
