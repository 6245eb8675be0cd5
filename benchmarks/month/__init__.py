"""A month of an archive, played: real services, engine and database, a BOINC server and volunteers in memory."""
