// OriginTransport
