"""Messages about new crystals, to people who asked for them."""
