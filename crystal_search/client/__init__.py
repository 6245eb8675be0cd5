"""The volunteer's program: a work unit in, a result out."""
