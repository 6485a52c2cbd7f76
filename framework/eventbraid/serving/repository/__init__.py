"""A model repository in Triton's layout: what lies in it, what is wrong with it, and how its models are built."""
