"""What has work units scored: clients on this machine, or a BOINC project."""
