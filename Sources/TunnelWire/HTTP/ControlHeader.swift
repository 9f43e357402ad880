/// Names and values of the header fields with which connector and edge talk about a stream (tunnel-protocol 2.2, 2.5).
package enum ControlHeader {
    /// On a request: what kind of stream this is, unless it is HTTP or TCP.
    package static let connectionUpgrade = "cf-cloudflared-proxy-connection-upgrade"
    /// On a request: present with any value for a TCP stream.
    package static let tcpSource = "cf-cloudflared-proxy-src"
    /// On a response: the origin's header fields, see `ResponseHeaderBlob`.
    package static let responseHeaders = "cf-cloudflared-response-headers"
    /// On a response: who made it, see `ResponseMeta`.
    package static let responseMeta = "cf-cloudflared-response-meta"
    /// On a response, only when tracing was asked for.
    package static let tracing = "cf-int-cloudflared-tracing"

    /// Values of `connectionUpgrade`, compared exactly.
    package enum Upgrade {
        package static let updateConfiguration = "update-configuration"
        package static let webSocket = "websocket"
        package static let controlStream = "control-stream"
    }

    /// The value of `tcpSource` that the edge sends.
    package static let tcpSourceValue = "tcp"
}
