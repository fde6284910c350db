"""How a call is answered: what an operation is, who may, done once, what is said when it cannot be done."""
