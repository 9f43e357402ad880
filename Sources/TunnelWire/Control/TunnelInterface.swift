/// The interfaces of the tunnel as they appear in calls (tunnel-protocol section 3.3).
enum TunnelInterface {
    /// On the edge, over the control stream.
    static let registrationServer: UInt64 = 0xf716_95ec_7fe8_5497

    enum RegistrationServerMethod: UInt16 {
        case registerConnection = 0
        case unregisterConnection = 1
        case updateLocalConfiguration = 2
    }

    /// The reason of the abort with which an official peer says goodbye.
    static let goodbye = "rpc: shutdown"
}

/// How much a control stream may make its reader hold (tunnel-protocol section 3.8).
package struct ControlStreamLimits: Equatable, Sendable {
    /// Bytes of a message before the connector is known.
    package var messageBytesBeforeRegistration: Int
    /// Bytes of a message afterwards: the local configuration is the largest.
    package var messageBytes: Int
    /// Calls waiting at the same time, each way.
    package var openQuestions: Int
    /// Messages that a sound peer has no reason to send, borne with before the stream is given up. Each may have an
    /// answer, and nobody says that the peer reads them.
    package var oddMessages: Int

    package init(
        messageBytesBeforeRegistration: Int = 1 << 20, messageBytes: Int = 16 << 20, openQuestions: Int = 64,
        oddMessages: Int = 64
    ) {
        self.messageBytesBeforeRegistration = messageBytesBeforeRegistration
        self.messageBytes = messageBytes
        self.openQuestions = openQuestions
        self.oddMessages = oddMessages
    }
}
