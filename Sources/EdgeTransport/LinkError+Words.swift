import ByteStream
import Glibc
import NIOCore
import NIOHTTP2
import NIOPosix
import NIOSSL

extension LinkError {
    /// A connection that did not come about.
    static func dialing(
        _ edge: EdgeEndpoint, from local: SocketAddress?, through proxy: ProxyServer?, _ error: any Error
    ) -> LinkError {
        if let error = error as? LinkError { return error }
        let cause = words(error)
        if let local, let error = error as? IOError, [EADDRNOTAVAIL, EINVAL].contains(error.errnoCode) {
            return LinkError(
                .dialFailed,
                "connections cannot come from \(local.ipAddress ?? "") (\(cause)); is --edge-bind-address of this host?"
            )
        }
        if let proxy {
            return LinkError(
                .dialFailed, "proxy \(proxy) did not open the way to the edge at \(edge) (\(cause)); check --edge-proxy"
            )
        }
        return LinkError(
            .dialFailed, "no connection to the edge at \(edge) (\(cause)); check --edge and that the edge runs")
    }

    /// The name of a proxy is looked up while it is dialled.
    private static func words(_ error: any Error) -> String {
        guard let failure = error as? NIOConnectionError else { return ErrorWords.of(error) }
        guard let first = failure.connectionErrors.first?.error else { return "\(failure.host) has no address" }
        return ErrorWords.of(first)
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
