package import NIOCore

/// The edge's side of the control stream (tunnel-protocol sections 3.5 and 7.1).
package enum RegistrationServer {
    /// What the owner of the machine does, in this order.
    package enum Action: Equatable, Sendable {
        /// Write and flush to the control stream.
        case send(ByteBuffer)
        /// Check it, then call `registrationAnswered` or `registrationFailed`.
        case registrationRequested(RegisterConnection)
        /// The connector's configuration, JSON that nobody has looked at yet. Answered already.
        case localConfigurationReceived(ByteBuffer)
        /// Route nothing new to this connection, then call `unregisterAnswered`, then let its streams end.
        case unregisterRequested
        /// The last action. What was sent before is to be flushed, then the link closed, which is the only ending that an
        /// official connector notices.
        case closed(reason: String, failed: Bool)
    }
}
