"""Cards: saving one, charging it, what a dispute or a refund that fails does to an account."""
