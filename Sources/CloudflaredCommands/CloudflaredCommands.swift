// CloudflaredCommands
