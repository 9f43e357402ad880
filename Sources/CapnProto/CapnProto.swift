// CapnProto
