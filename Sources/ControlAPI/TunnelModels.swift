package import Foundation
import TunnelConfig

/// A tunnel as the account API shows it.
package struct APITunnel: Codable, Sendable, Equatable {
    package var id: UUID
    package var name: String
    package var createdAt: Date?
    package var deletedAt: Date?
    package var connections: [APIConnection]
    /// The run token; only in the answer to a creation. A secret.
    package var token: String?

    package init(
        id: UUID, name: String, createdAt: Date?, deletedAt: Date? = nil, connections: [APIConnection] = [],
        token: String? = nil
    ) {
        self.id = id
        self.name = name
        self.createdAt = createdAt
        self.deletedAt = deletedAt
        self.connections = connections
        self.token = token
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, connections, token
        case createdAt = "created_at"
        case deletedAt = "deleted_at"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(UUID.self, forKey: .id)
        name = container.lenient(String.self, .name) ?? ""
        createdAt = container.lenientDate(.createdAt)
        deletedAt = container.lenientDate(.deletedAt)
        connections = container.lenient([APIConnection].self, .connections) ?? []
        token = container.lenient(String.self, .token)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.lowercased, forKey: .id)
        try container.encode(name, forKey: .name)
        try container.encode(createdAt.map(Timestamp.encode) ?? Timestamp.zero, forKey: .createdAt)
        // Null for a live one: the official client reads it as its zero time.
        try container.encode(deletedAt.map(Timestamp.encode), forKey: .deletedAt)
        try container.encode(connections, forKey: .connections)
        try container.encodeIfPresent(token, forKey: .token)
    }
}

/// One live connection of a connector.
package struct APIConnection: Codable, Sendable, Equatable {
    package var id: UUID
    package var location: String
    package var isPendingReconnect: Bool
    package var originIP: String
    package var openedAt: Date?

    package init(id: UUID, location: String, isPendingReconnect: Bool = false, originIP: String, openedAt: Date?) {
        self.id = id
        self.location = location
        self.isPendingReconnect = isPendingReconnect
        self.originIP = originIP
        self.openedAt = openedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id
        case location = "colo_name"
        case isPendingReconnect = "is_pending_reconnect"
        case originIP = "origin_ip"
        case openedAt = "opened_at"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(UUID.self, forKey: .id)
        location = container.lenient(String.self, .location) ?? ""
        isPendingReconnect = container.lenient(Bool.self, .isPendingReconnect) ?? false
        originIP = container.lenient(String.self, .originIP) ?? ""
        openedAt = container.lenientDate(.openedAt)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.lowercased, forKey: .id)
        try container.encode(location, forKey: .location)
        try container.encode(isPendingReconnect, forKey: .isPendingReconnect)
        try container.encode(originIP, forKey: .originIP)
        try container.encode(openedAt.map(Timestamp.encode) ?? Timestamp.zero, forKey: .openedAt)
    }
}

/// One connector process with its connections.
package struct APIConnector: Codable, Sendable, Equatable {
    package var id: UUID
    package var features: [String]
    package var version: String
    package var architecture: String
    package var runAt: Date?
    package var connections: [APIConnection]

    package init(
        id: UUID, features: [String], version: String, architecture: String, runAt: Date?,
        connections: [APIConnection]
    ) {
        self.id = id
        self.features = features
        self.version = version
        self.architecture = architecture
        self.runAt = runAt
        self.connections = connections
    }

    private enum CodingKeys: String, CodingKey {
        case id, features, version
        case architecture = "arch"
        case runAt = "run_at"
        case connections = "conns"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(UUID.self, forKey: .id)
        features = container.lenient([String].self, .features) ?? []
        version = container.lenient(String.self, .version) ?? ""
        architecture = container.lenient(String.self, .architecture) ?? ""
        runAt = container.lenientDate(.runAt)
        connections = container.lenient([APIConnection].self, .connections) ?? []
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.lowercased, forKey: .id)
        try container.encode(features, forKey: .features)
        try container.encode(version, forKey: .version)
        try container.encode(architecture, forKey: .architecture)
        try container.encode(runAt.map(Timestamp.encode) ?? Timestamp.zero, forKey: .runAt)
        try container.encode(connections, forKey: .connections)
    }
}

/// Body of a creation.
package struct APITunnelCreation: Codable, Sendable {
    package var name: String
    /// Standard base64 of at least 32 bytes. A secret.
    package var secret: String?

    package init(name: String, secret: String?) {
        self.name = name
        self.secret = secret
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case secret = "tunnel_secret"
    }
}

/// Body of a request for a hostname route.
package struct APIRouteRequest: Codable, Sendable {
    package var type: String
    package var hostname: String?
    package var overwriteExisting: Bool

    package init(hostname: String, overwriteExisting: Bool) {
        type = "dns"
        self.hostname = hostname
        self.overwriteExisting = overwriteExisting
    }

    private enum CodingKeys: String, CodingKey {
        case type
        case hostname = "user_hostname"
        case overwriteExisting = "overwrite_existing"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        type = container.lenient(String.self, .type) ?? ""
        hostname = container.lenient(String.self, .hostname)
        overwriteExisting = container.lenient(Bool.self, .overwriteExisting) ?? false
    }
}

/// Answer to a DNS route: what happened to the record, and its full name.
package struct APIRoute: Codable, Sendable, Equatable {
    /// `new`, `updated` or `unchanged`.
    package var change: String
    package var hostname: String

    package init(change: String, hostname: String) {
        self.change = change
        self.hostname = hostname
    }

    private enum CodingKeys: String, CodingKey {
        case change = "cname"
        case hostname = "name"
    }
}

/// Body of a request for a route of a load balancer.
package struct APILoadBalancerRequest: Codable, Sendable, Equatable {
    package var type = "lb"
    package var hostname: String
    package var pool: String

    package init(hostname: String, pool: String) {
        self.hostname = hostname
        self.pool = pool
    }

    private enum CodingKeys: String, CodingKey {
        case type
        case hostname = "lb_name"
        case pool = "lb_pool"
    }
}

/// What happened to load balancer and pool: `new`, `updated` or `unchanged`.
package struct APILoadBalancerRoute: Codable, Sendable, Equatable {
    package var loadBalancer: String
    package var pool: String

    package init(loadBalancer: String, pool: String) {
        self.loadBalancer = loadBalancer
        self.pool = pool
    }

    private enum CodingKeys: String, CodingKey {
        case pool
        case loadBalancer = "load_balancer"
    }
}

/// What a management token opens at a connector.
package enum APIManagementResource: String, Sendable, CaseIterable {
    case logs, admin
    case hostDetails = "host_details"
}
