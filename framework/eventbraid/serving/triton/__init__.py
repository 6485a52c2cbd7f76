"""The real Triton: installed, started, kept and stopped."""
