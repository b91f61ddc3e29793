"""The `kg` command, one module for each group of subcommands."""
