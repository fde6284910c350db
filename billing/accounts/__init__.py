"""What an account is now and was: access, debts, history, explanations. Reads only."""
