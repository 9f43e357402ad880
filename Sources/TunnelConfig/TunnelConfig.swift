// TunnelConfig
