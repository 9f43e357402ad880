import ByteStream
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

extension OriginError {
    /// Puts a failed connection attempt into words.
    static func connecting(to target: OriginTarget, _ error: any Error) -> OriginError {
        if let error = error as? OriginError { return error }
        if case ChannelError.connectTimeout = error { return timedOut(target, error) }
        guard let code = errnoCode(of: error) else {
            return OriginError(.unreachable, "no connection to \(target.name)", cause: error)
        }
        switch code {
        case ECONNREFUSED:
            return OriginError(.refused, "\(target.name) refused the connection; \(target.advice)")
        case ENOENT:
            return OriginError(
                .refused, "\(target.name) does not exist; is the service running, and is the path right?")
        case EACCES, EPERM:
            return OriginError(
                .unreachable, "no permission to connect to \(target.name); which user runs cloudflared, and may it?")
        case ETIMEDOUT:
            return timedOut(target, error)
        case EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENETDOWN:
            return OriginError(
                .unreachable, "there is no route to \(target.name); is the machine up and on this network?",
                cause: error)
        default:
            return OriginError(.unreachable, "no connection to \(target.name)", cause: error)
        }
    }

    static func timedOut(_ target: OriginTarget, _ error: (any Error)?) -> OriginError {
        OriginError(
            .timedOut,
            "\(target.name) did not answer within connectTimeout; is the machine up, and does a firewall drop the port?",
            cause: error)
    }

    /// Puts a failed TLS handshake into words.
    ///
    /// - Parameter name: the server name that was checked.
    static func securing(_ target: OriginTarget, name: String, _ error: any Error) -> OriginError {
        if let error = error as? OriginError { return error }
        if error is ServerIdentity.Mismatch || error is NIOSSLExtraError {
            return OriginError(
                .certificateRefused,
                "the certificate of \(target.name) is for another name than \(name);"
                    + " set originServerName (--origin-server-name) to a name in it, or noTLSVerify (--no-tls-verify) to accept any",
                cause: error)
        }
        let text = String(describing: error)
        if text.contains("CERTIFICATE_VERIFY_FAILED") {
            return OriginError(
                .certificateRefused,
                "the certificate of \(target.name) is not trusted or has expired;"
                    + " give its CA with caPool (--origin-ca-pool), or accept any with noTLSVerify (--no-tls-verify)",
                cause: error)
        }
        // BoringSSL's names for what a server that speaks plain HTTP, or another protocol, sends back.
        let plain = ["WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "INVALID_SSL_PROTOCOL"]
        if plain.contains(where: text.contains) {
            return OriginError(
                .notTLS, "\(target.name) does not speak TLS on that port; use http:// instead of https://", cause: error
            )
        }
        return OriginError(.handshakeFailed, "the TLS handshake with \(target.name) failed", cause: error)
    }

    private static func errnoCode(of error: any Error) -> CInt? {
        switch error {
        case let error as IOError: error.errnoCode
        case let error as NIOConnectionError:
            // Several addresses may have been tried: a refusal says more than a missing route.
            error.connectionErrors.lazy.compactMap { errnoCode(of: $0.error) }.first { $0 == ECONNREFUSED }
                ?? error.connectionErrors.lazy.compactMap { errnoCode(of: $0.error) }.first
                ?? (error.connectionErrors.contains {
                    if case ChannelError.connectTimeout = $0.error { true } else { false }
                }
                    ? ETIMEDOUT : nil)
        default: nil
        }
    }
}
