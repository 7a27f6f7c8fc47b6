"""How rows are kept: the connection, the embedded server, the migrations."""
