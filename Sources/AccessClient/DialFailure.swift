import ByteStream
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Puts what the network libraries report into one line with a remedy. Pure.
enum DialFailure {
    /// A TCP connection that did not come about.
    static func describe(_ error: any Error, target: String) -> AccessError {
        guard let failure = error as? NIOConnectionError else {
            if (error as? IOError)?.errnoCode == ECONNREFUSED { return refused(target) }
            return AccessError(.unreachable, "cannot connect to \(target)", cause: error)
        }
        let causes = failure.connectionErrors.map(\.error)
        if causes.isEmpty {
            return AccessError(
                .nameNotResolved,
                "no such host: \(failure.host) has no address; check the spelling and the name service")
        }
        let numbers = causes.compactMap { ($0 as? IOError)?.errnoCode }
        if numbers.contains(ECONNREFUSED) {
            return refused(target)
        }
        if causes.contains(where: { $0 is ChannelError }) {
            return AccessError(
                .timedOut, "\(target) did not accept a connection in time; check the network and firewalls")
        }
        return AccessError(.unreachable, "cannot connect to \(target); check the network", cause: causes.first)
    }

    private static func refused(_ target: String) -> AccessError {
        AccessError(.unreachable, "\(target) refused the connection; check host and port, and that it is running")
    }

    /// TLS or the request on it failed.
    static func describe(_ error: any Error, serverName: String, target: String) -> AccessError {
        let text = "\(error)"
        if let failure = error as? NIOSSLError, case .handshakeFailed = failure {
            if text.contains("CERTIFICATE_VERIFY_FAILED") {
                return AccessError(
                    .untrusted,
                    "the certificate of \(serverName) (\(target)) is not signed by an authority trusted here, or has expired;"
                        + " give the authority's file with --cacert or SSL_CERT_FILE")
            }
            if text.contains("WRONG_VERSION_NUMBER") || text.contains("HTTP_REQUEST") {
                return AccessError(.tls, "\(target) does not speak TLS; check the port of --hostname")
            }
            return AccessError(.tls, "TLS with \(serverName) (\(target)) failed", cause: error)
        }
        if error is ServerIdentity.Mismatch {
            return AccessError(
                .untrusted, "the certificate of \(target) is not for \(serverName); check --hostname and --connect-to")
        }
        if error is NIOSSLExtraError {
            return AccessError(.tls, "TLS with \(serverName) (\(target)) failed", cause: error)
        }
        if error is HTTPExchange.EndedEarly {
            return AccessError(
                .connectionLost, "\(target) closed the connection before it answered; check that this is the edge")
        }
        if error is HTTPParserError || error is ByteToMessageDecoderError {
            return AccessError(
                .notWebSocket, "\(target) does not speak HTTP; check the port of --hostname", cause: error)
        }
        return AccessError(.connectionLost, "the connection to \(target) failed before it was open", cause: error)
    }
}
