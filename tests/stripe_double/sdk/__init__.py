"""What the installed SDK says of the API: parameters, addresses, answers."""
