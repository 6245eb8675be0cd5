"""Tables of how good models are on photographs whose truth people wrote down."""
