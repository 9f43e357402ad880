// EdgeCommands
