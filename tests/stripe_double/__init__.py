"""A double of the Stripe API that is as strict as Stripe's own published types: a process of its own, for tests.

    the real stripe client ──HTTP──> server ──> who asks (access) ──> what is asked (routes, parameters) ──> keys
        ──> what happens (intents, setups, refunds, disputes, payouts) ──> what is answered (lists, shapes)
    the test ──HTTP──> /_test/… (control): the clock, what a card does next, what the bank decides, faults, rights

What may be asked and what is answered is taken from the types that come with the installed SDK, so that a request
which Stripe would refuse is refused here too. docs/explanation/stripe-double.md says what it does and what it does not.
"""
