"""What puts the rooms together: the night, the worker, scenarios and the command line."""
