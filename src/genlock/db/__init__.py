"""The database: connections, the embedded server, the migrations."""
