// EdgeTransport
