"""What happens while a fee stays unpaid: demands, suspension, termination, write-off."""
