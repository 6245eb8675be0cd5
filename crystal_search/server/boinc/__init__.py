"""What is called from outside about a BOINC project: our command, and the address at which its scripts find us."""
