"""Numbers of the law that bound the contract, dated: `rates.toml`."""
