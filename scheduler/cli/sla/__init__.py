"""Commands on outages, evidence, months of Article 9 and claims."""
