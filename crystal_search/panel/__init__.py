"""Expert panels: several people look blind at the same images; how far they agree, and models beside them."""
