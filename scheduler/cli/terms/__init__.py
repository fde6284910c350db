"""Commands on the contract as data: clauses, readings, versions, policies."""
