package import Foundation

/// One line of the audit log: who did what, what was decided about it, and why. Never token material.
package struct AuditEvent: Hashable, Sendable, Codable {
    package enum Action: String, Hashable, Sendable, Codable {
        /// A visitor was let in, or kept out.
        case admit, deny
        /// Somebody logged in at the team domain, or tried to.
        case login
        /// Somebody let a program act for them, or refused it.
        case consent
        /// A service token was shown, or a token handed to a program.
        case token
        /// An SSH certificate was asked for.
        case certificate
        /// A stream, session or login ended.
        case end
        case revoke
        /// An administrator changed the configuration.
        case admin
        /// Events were lost because they came faster than they could be written.
        case lost
    }

    package var time: Date
    package var action: Action
    /// One word: `ok`, `refused`, `failed`, …
    package var outcome: String?
    /// Its id.
    package var application: String?
    package var policy: String?
    /// Verified address, else the id with us.
    package var user: String?
    /// Client id.
    package var serviceToken: String?
    package var session: String?
    /// The visitor's, without port.
    package var address: String?
    package var ray: String?
    /// Where a bastion was asked to go: `host:port`.
    package var destination: String?
    /// To the visitor, and from the visitor.
    package var bytesDown: Int?
    package var bytesUp: Int?
    /// In seconds.
    package var duration: Double?
    package var reason: String?

    package init(_ action: Action, outcome: String? = nil, at time: Date) {
        self.action = action
        self.outcome = outcome
        self.time = time
    }

    /// What a visitor can make long is cut, so that a line has a bound.
    var bounded: AuditEvent {
        func cut(_ text: String?) -> String? {
            text.map { $0.utf8.count <= 1_024 ? $0 : String($0.unicodeScalars.prefix(256)) + "…" }
        }
        var event = self
        event.outcome = cut(outcome)
        event.application = cut(application)
        event.policy = cut(policy)
        event.user = cut(user)
        event.serviceToken = cut(serviceToken)
        event.session = cut(session)
        event.address = cut(address)
        event.ray = cut(ray)
        event.destination = cut(destination)
        event.reason = cut(reason)
        return event
    }
}
