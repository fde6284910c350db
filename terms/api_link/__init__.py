"""The linked service's contract: its versions as TOML, the numbers of one as a policy, the operator's discretion."""
