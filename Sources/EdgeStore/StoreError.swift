/// What went wrong in the edge's data: which part of it, and what to do next.
package struct StoreError: Error, CustomStringConvertible, Sendable {
    package enum Code: Sendable, Equatable {
        /// A value from outside is not what it must be.
        case invalid
        /// No tunnel, route, token, session, key or document of that name.
        case notFound
        /// A live tunnel has that name or id already.
        case tunnelTaken
        /// The hostname leads to another tunnel.
        case hostnameTaken
        /// The private network leads to a tunnel already, or a live virtual network has the name.
        case networkTaken
        /// The hostname is not inside the zone, or the edge needs it itself.
        case hostnameRefused
        /// The tunnel has connections, or a policy still names the token, or the id is taken.
        case inUse
        /// Somebody else changed the store meanwhile.
        case conflict
        /// The audit log is not what was written.
        case broken
        /// The data directory holds something already.
        case directoryUsed
        /// edge.yml or a file it names is missing, unreadable or wrong.
        case configuration
        /// The database cannot be read or written.
        case unavailable
    }

    package let code: Code
    /// One sentence, with the remedy.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message) (\(cause))"
    }
}
