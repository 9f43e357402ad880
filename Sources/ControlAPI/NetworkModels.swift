package import Foundation
import TunnelConfig

/// A private network that a tunnel leads to, as the account API shows it.
package struct APINetworkRoute: Codable, Sendable, Equatable {
    package var id: UUID
    /// In the form `10.0.0.0/8`.
    package var network: String
    package var tunnelID: UUID
    package var tunnelName: String
    package var virtualNetworkID: UUID?
    package var comment: String
    package var createdAt: Date?
    package var deletedAt: Date?

    package init(
        id: UUID, network: String, tunnelID: UUID, tunnelName: String, virtualNetworkID: UUID? = nil,
        comment: String = "", createdAt: Date?, deletedAt: Date? = nil
    ) {
        self.id = id
        self.network = network
        self.tunnelID = tunnelID
        self.tunnelName = tunnelName
        self.virtualNetworkID = virtualNetworkID
        self.comment = comment
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, network, comment
        case tunnelID = "tunnel_id"
        case tunnelName = "tunnel_name"
        case virtualNetworkID = "virtual_network_id"
        case createdAt = "created_at"
        case deletedAt = "deleted_at"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(UUID.self, forKey: .id)
        network = try container.decode(String.self, forKey: .network)
        tunnelID = try container.decode(UUID.self, forKey: .tunnelID)
        tunnelName = container.lenient(String.self, .tunnelName) ?? ""
        virtualNetworkID = container.lenientUUID(.virtualNetworkID)
        comment = container.lenient(String.self, .comment) ?? ""
        createdAt = container.lenientDate(.createdAt)
        deletedAt = container.lenientDate(.deletedAt)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.lowercased, forKey: .id)
        try container.encode(network, forKey: .network)
        try container.encode(tunnelID.lowercased, forKey: .tunnelID)
        try container.encode(tunnelName, forKey: .tunnelName)
        try container.encodeIfPresent(virtualNetworkID?.lowercased, forKey: .virtualNetworkID)
        try container.encode(comment, forKey: .comment)
        try container.encode(createdAt.map(Timestamp.encode) ?? Timestamp.zero, forKey: .createdAt)
        // Null for a live one: the official client reads it as its zero time.
        try container.encode(deletedAt.map(Timestamp.encode), forKey: .deletedAt)
    }
}

/// The answer to a question for the route of an address: the route, or one of which everything is zero.
package struct APINetworkMatch: Decodable, Sendable {
    package var route: APINetworkRoute?

    private enum CodingKeys: String, CodingKey {
        case tunnelID = "tunnel_id"
    }

    package init(from decoder: any Decoder) throws {
        let tunnelID = try decoder.container(keyedBy: CodingKeys.self).lenientUUID(.tunnelID)
        let isOne = tunnelID.map { $0 != UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)) } ?? false
        route = isOne ? try APINetworkRoute(from: decoder) : nil
    }
}

/// Body of a request for a new private route.
package struct APINetworkRouteCreation: Codable, Sendable {
    package var network: String
    package var tunnelID: String
    package var comment: String?
    package var virtualNetworkID: String?

    package init(network: String, tunnelID: UUID, comment: String, virtualNetworkID: UUID?) {
        self.network = network
        self.tunnelID = tunnelID.lowercased
        self.comment = comment
        self.virtualNetworkID = virtualNetworkID?.lowercased
    }

    private enum CodingKeys: String, CodingKey {
        case network, comment
        case tunnelID = "tunnel_id"
        case virtualNetworkID = "virtual_network_id"
    }
}

/// One of several address spaces of an account, in which the same private network may stand for different places.
package struct APIVirtualNetwork: Codable, Sendable, Equatable {
    package var id: UUID
    package var name: String
    package var comment: String
    package var isDefault: Bool
    package var createdAt: Date?
    package var deletedAt: Date?

    package init(
        id: UUID, name: String, comment: String = "", isDefault: Bool, createdAt: Date?, deletedAt: Date? = nil
    ) {
        self.id = id
        self.name = name
        self.comment = comment
        self.isDefault = isDefault
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, comment
        case isDefault = "is_default_network"
        case createdAt = "created_at"
        case deletedAt = "deleted_at"
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(UUID.self, forKey: .id)
        name = container.lenient(String.self, .name) ?? ""
        comment = container.lenient(String.self, .comment) ?? ""
        isDefault = container.lenient(Bool.self, .isDefault) ?? false
        createdAt = container.lenientDate(.createdAt)
        deletedAt = container.lenientDate(.deletedAt)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id.lowercased, forKey: .id)
        try container.encode(name, forKey: .name)
        try container.encode(comment, forKey: .comment)
        try container.encode(isDefault, forKey: .isDefault)
        try container.encode(createdAt.map(Timestamp.encode) ?? Timestamp.zero, forKey: .createdAt)
        try container.encode(deletedAt.map(Timestamp.encode), forKey: .deletedAt)
    }
}

/// Body of a request for a new virtual network, or for a change of one: then only what is to change is there.
package struct APIVirtualNetworkChange: Codable, Sendable {
    package var name: String?
    package var comment: String?
    package var isDefault: Bool?

    package init(name: String? = nil, comment: String? = nil, isDefault: Bool? = nil) {
        self.name = name
        self.comment = comment
        self.isDefault = isDefault
    }

    private enum CodingKeys: String, CodingKey {
        case name, comment
        case isDefault = "is_default_network"
    }
}
