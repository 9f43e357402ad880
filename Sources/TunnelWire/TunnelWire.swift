// TunnelWire
