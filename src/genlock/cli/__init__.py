"""The command line: each command asks the SDK, shows what it answers, and says how it went by its exit code."""
