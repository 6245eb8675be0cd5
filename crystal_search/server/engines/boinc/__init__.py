"""Work units scored by the volunteers of a BOINC project: the other engine (docs/boinc.md)."""
