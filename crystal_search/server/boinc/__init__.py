"""The address at which scripts in BOINC projects find us; it stays where it is, whatever moves behind it."""
