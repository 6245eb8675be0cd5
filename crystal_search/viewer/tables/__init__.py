"""All plates' scores and the whole ledger as files."""
