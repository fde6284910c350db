"""What a host or the command line calls about outages and claims."""
