"""The servers of a client while it runs: what each has and owes, and which of them gets a request."""
