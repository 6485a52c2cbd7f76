"""The models of the embedded server: loaded, waited for, executed and counted."""
