// EdgeStore
