package import ServiceHost

/// Why `access` could not do what was asked: which hop failed and what to try next, on one line.
///
/// The message never holds a secret. Of what a server answered it quotes the status and at most one short line of text.
package struct AccessError: Error, CustomStringConvertible {
    package enum Code: Sendable, Equatable {
        /// A flag does not have the form it needs.
        case usage
        /// A file, an environment variable or a setting cannot be used as it is.
        case configuration
        /// The local address cannot be listened on.
        case listen
        /// The host has no address.
        case nameNotResolved
        /// Nothing listens there, or no route leads there.
        case unreachable
        /// A step took longer than it may.
        case timedOut
        /// The proxy did not open the way.
        case proxy
        /// The server's certificate is not trusted here.
        case untrusted
        /// TLS failed otherwise.
        case tls
        /// Access wants a login, and there is none, or not the right one.
        case loginRequired
        /// Access or the edge said no.
        case denied
        /// The edge answered that connector or origin are not there.
        case unavailable
        /// What answered does not speak WebSocket for this hostname.
        case notWebSocket
        /// The connection ended or broke its protocol.
        case connectionLost
    }

    package var code: Code
    /// The failed hop and the remedy, without the cause.
    package var message: String
    /// The underlying error, if there is one.
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }

    /// How a process ends for which this was the last word.
    package var exitCode: ExitCode {
        switch code {
        case .usage: .usage
        case .configuration: .configuration
        case .listen, .nameNotResolved, .unreachable, .timedOut, .unavailable: .unavailable
        case .proxy, .untrusted, .tls, .loginRequired, .denied, .notWebSocket, .connectionLost: .failure
        }
    }
}
