"""The embedded server, for development: the KServe v2 protocol in a process of its own."""
