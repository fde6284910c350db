"""Keizoku (継続): premium-subscription billing and SLA credits, as the contract says it.

    keizoku.terms       the contract as data, and the words everything else speaks
    keizoku.db          tables, migrations, sessions, the PostgreSQL server that comes with it
    keizoku.sla         from outage evidence to the decision of a claim (Article 9)
    keizoku.billing     contracts, fees, payments and books
    keizoku.scheduler   the night, the worker, scenarios, the command line

The rooms lie at the top of the repository; here are links to them (CONTRIBUTING.md says why).
"""

__version__ = "0.2.0"
