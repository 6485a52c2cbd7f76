"""From the calls of clients to the models, and back: within bounds."""
