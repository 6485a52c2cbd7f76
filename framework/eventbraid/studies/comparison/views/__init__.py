"""A comparison as it is shown: in the terminal, as a picture, as a page."""
