import ByteStream

/// Why a link could not be made, or ended.
package struct LinkError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// No address of an edge is known.
        case edgeUnknown
        /// No TCP connection to the edge.
        case dialFailed
        /// TLS did not come about.
        case handshakeFailed
        /// The edge's certificate is not one we trust, or not for the name we asked.
        case certificateRefused
        /// The peer did not begin HTTP/2 in time.
        case silentStart
        /// The peer stopped answering pings.
        case peerSilent
        /// This host's network is not the one any more that the link, or the dial, began on.
        case networkChanged
        /// The peer broke HTTP/2, or what came was not HTTP/2 at all.
        case protocolViolation
        /// The peer closed the link.
        case closedByPeer
        /// The link has no room for another stream, or is going away.
        case noCapacity
        /// The request's head exceeds what the connector takes; only that stream is concerned.
        case headTooLarge
        /// Nobody has begun with the stream: it may be opened again on another link, whatever it asks.
        case streamDeclined
        /// The other side ended the stream with an error before it answered.
        case streamRefused
        /// The link ended before the other side answered on the stream, which it may have begun with.
        case streamCut
    }

    /// What the owner of the link should do.
    package enum Recovery: Sendable, Equatable {
        case retry
        case retryElsewhere
        case permanent
    }

    package var code: Code
    /// What happened, in words a user can act on.
    package var message: String
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var recovery: Recovery {
        switch code {
        case .dialFailed, .handshakeFailed, .certificateRefused, .silentStart, .peerSilent: .retryElsewhere
        case .edgeUnknown, .networkChanged, .protocolViolation, .closedByPeer, .noCapacity, .headTooLarge,
            .streamDeclined, .streamRefused, .streamCut:
            .retry
        }
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message): \(ErrorWords.of(cause))"
    }
}
