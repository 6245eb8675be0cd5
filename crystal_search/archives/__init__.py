"""Archives of scored images, as a facility keeps them and as others published theirs."""
