// Connector
