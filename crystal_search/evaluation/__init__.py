"""How good trained networks are: tables, plots and a page to read (docs/evaluation.md)."""
