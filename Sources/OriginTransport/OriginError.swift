import ByteStream

/// Why an origin could not serve a request. The message names the hop and what to do about it; it holds no secret.
package struct OriginError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// The origin's name has no address.
        case notFound
        /// Nothing listens there.
        case refused
        /// No route, no permission, no such socket, or another failure before the connection stood.
        case unreachable
        /// No connection, or no TLS, within the time allowed.
        case timedOut
        /// The origin does not speak TLS.
        case notTLS
        /// The origin's certificate is not trusted or is for another name.
        case certificateRefused
        /// TLS did not come about for another reason.
        case handshakeFailed
        /// The origin closed the connection before its answer was complete.
        case closedEarly
        /// What the origin answered is not HTTP, or too large.
        case badResponse
        /// The request cannot be sent to an HTTP/1.1 origin as it is.
        case requestInvalid
        /// The origin takes no chunked request and this one has no length.
        case lengthRequired
        /// The client named no destination, or one that cannot be read.
        case destinationInvalid
        /// The destination is not on the allow-list.
        case destinationDenied
        /// The visitor is not one that the service takes.
        case accessDenied
        /// Nobody can tell whether the service takes the visitor.
        case accessUnknown
        /// The service is reached in another way than the one asked for.
        case wrongKind
        /// The rule asks for something that this version does not do.
        case unsupported
        /// The request was given up on our side.
        case cancelled
    }

    package var code: Code
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// What the visitor is answered: 502 for everything the origin did, 4xx for what the client can change.
    package var status: Int {
        switch code {
        case .requestInvalid, .destinationInvalid: 400
        case .destinationDenied, .accessDenied: 403
        case .lengthRequired: 411
        case .wrongKind: 426
        default: 502
        }
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(ErrorWords.of(cause)))"
    }
}
