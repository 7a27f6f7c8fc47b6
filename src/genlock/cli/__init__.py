"""The command line: each command calls the SDK, shows the result, and reports success by its exit code."""
