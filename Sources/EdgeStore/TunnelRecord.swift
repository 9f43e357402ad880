package import Foundation
package import TunnelConfig

/// A tunnel as the edge knows it. Deleted ones are kept, so that lists can show them and ids never come back.
package struct TunnelRecord: Sendable, Equatable {
    package let id: UUID
    /// Unique among the live tunnels.
    package var name: String
    /// The account tag in the connector's credentials; an imported tunnel keeps its own.
    package let accountTag: String
    package var secret: TunnelSecret
    package let createdAt: Date
    package var deletedAt: Date?

    package init(
        id: UUID, name: String, accountTag: String, secret: TunnelSecret, createdAt: Date, deletedAt: Date? = nil
    ) {
        self.id = id
        self.name = name
        self.accountTag = accountTag
        self.secret = secret
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }

    /// What a connector needs to serve it.
    package var credentials: TunnelCredentials {
        TunnelCredentials(accountTag: accountTag, tunnelSecret: secret, tunnelID: id)
    }

    /// The same with what is given.
    func changed(name: String?, secret: TunnelSecret?) throws -> TunnelRecord {
        var tunnel = self
        if let name {
            try Self.check(name: name)
            tunnel.name = name
        }
        if let secret { tunnel.secret = secret }
        return tunnel
    }

    /// Refuses names that the official client refuses too: empty, or in the shape of an id.
    package static func check(name: String) throws {
        guard !name.isEmpty, name.utf8.count <= 255 else {
            throw StoreError(.invalid, "a tunnel's name must have 1 to 255 characters")
        }
        guard UUID(uuidString: name) == nil else {
            throw StoreError(.invalid, "\"\(name)\" looks like a tunnel id; give the tunnel a name of another shape")
        }
        guard !name.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw StoreError(.invalid, "a tunnel's name must not contain control characters")
        }
    }
}

/// Which tunnels a list asks for. Every given condition must hold.
package struct TunnelFilter: Sendable, Equatable {
    package var id: UUID?
    package var name: String?
    package var namePrefix: String?
    package var excludedPrefixes: [String] = []
    /// true: only deleted ones; false: only live ones; nil: both.
    package var deleted: Bool?
    /// Only those that were there at this time.
    package var existedAt: Date?

    package init() {}

    package init(name: String, deleted: Bool? = false) {
        self.name = name
        self.deleted = deleted
    }

    package func matches(_ tunnel: TunnelRecord) -> Bool {
        if let id, tunnel.id != id { return false }
        if let name, tunnel.name != name { return false }
        if let namePrefix, !tunnel.name.hasPrefix(namePrefix) { return false }
        if excludedPrefixes.contains(where: { tunnel.name.hasPrefix($0) }) { return false }
        if let deleted, deleted != (tunnel.deletedAt != nil) { return false }
        if let existedAt {
            if tunnel.createdAt > existedAt { return false }
            if let deletedAt = tunnel.deletedAt, deletedAt <= existedAt { return false }
        }
        return true
    }
}

/// A hostname and the tunnel that serves it.
package struct Route: Sendable, Equatable {
    /// Lower case; may start with `*.`.
    package let hostname: String
    package let tunnelID: UUID
    package let createdAt: Date

    package init(hostname: String, tunnelID: UUID, createdAt: Date) {
        self.hostname = hostname
        self.tunnelID = tunnelID
        self.createdAt = createdAt
    }
}

/// What setting a route did; the words of the account API.
package enum RouteChange: String, Sendable, Equatable {
    case new, updated, unchanged
}
