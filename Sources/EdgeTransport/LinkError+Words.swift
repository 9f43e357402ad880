import ByteStream
import NIOCore
import NIOHTTP2
import NIOSSL

extension LinkError {
    /// A TCP connection that did not come about.
    static func dialing(_ address: SocketAddress, _ error: any Error) -> LinkError {
        if let error = error as? LinkError { return error }
        return LinkError(
            .dialFailed,
            "no connection to the edge at \(ErrorWords.text(of: address)) (\(ErrorWords.of(error)));"
                + " check --edge and that the edge runs")
    }

    /// Puts what TLS, HTTP/2 or the socket reported into words with a remedy.
    static func classifying(_ error: any Error, ready: Bool) -> LinkError {
        if let error = error as? LinkError { return error }
        if error is ServerIdentity.Mismatch || error is NIOSSLExtraError {
            return LinkError(
                .certificateRefused,
                "the peer's certificate is for another name than \(EdgeTLS.serverName);"
                    + " is this the tunnel port of an edge? --edge must name it")
        }
        if error is NIOSSLError || error is BoringSSLError {
            if String(describing: error).contains("CERTIFICATE_VERIFY_FAILED") {
                return LinkError(
                    .certificateRefused,
                    "the edge's certificate is not trusted or has expired; give its CA with --cacert")
            }
            return LinkError(
                ready ? .protocolViolation : .handshakeFailed,
                ready
                    ? "TLS on the link failed"
                    : "the TLS handshake failed; is this the tunnel port of an edge? --edge must name it",
                cause: error)
        }
        // What an HTTP server says to a connector that waits for an edge: mostly the port of the visitors.
        if error is NIOHTTP2Errors.BadClientMagic {
            return LinkError(
                .protocolViolation, "what answers there is not the tunnel port of an edge; --edge must name that port")
        }
        if error is any NIOHTTP2Error {
            return LinkError(.protocolViolation, "the peer broke HTTP/2", cause: error)
        }
        return LinkError(.closedByPeer, "the link broke", cause: error)
    }
}
