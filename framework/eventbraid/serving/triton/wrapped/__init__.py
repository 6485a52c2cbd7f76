"""Files that are copied into what the real Triton serves, and run in its small environment, without eventbraid."""
