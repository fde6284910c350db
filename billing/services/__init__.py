"""What a host or the command line calls: one act, checked, done and committed."""
