package import Foundation
package import TunnelConfig

/// A private network and the tunnel that leads to it. Deleted ones are kept, so that lists can show them.
package struct NetworkRoute: Sendable, Equatable {
    package let id: UUID
    package let network: IPPrefix
    package let tunnelID: UUID
    package let virtualNetworkID: UUID
    package let comment: String
    package let createdAt: Date
    package var deletedAt: Date?

    package init(
        id: UUID, network: IPPrefix, tunnelID: UUID, virtualNetworkID: UUID, comment: String, createdAt: Date,
        deletedAt: Date? = nil
    ) {
        self.id = id
        self.network = network
        self.tunnelID = tunnelID
        self.virtualNetworkID = virtualNetworkID
        self.comment = comment
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }
}

/// One of the account's address spaces. Deleted ones are kept.
package struct VirtualNetwork: Sendable, Equatable {
    package let id: UUID
    /// Unique among the live ones.
    package var name: String
    package var comment: String
    /// Whether routes are in it that name none. One live network is.
    package var isDefault: Bool
    package let createdAt: Date
    package var deletedAt: Date?

    package init(
        id: UUID, name: String, comment: String, isDefault: Bool, createdAt: Date, deletedAt: Date? = nil
    ) {
        self.id = id
        self.name = name
        self.comment = comment
        self.isDefault = isDefault
        self.createdAt = createdAt
        self.deletedAt = deletedAt
    }

    /// The one that every account begins with.
    static func first(at time: Date) -> VirtualNetwork {
        VirtualNetwork(id: UUID(), name: "default", comment: "", isDefault: true, createdAt: time)
    }
}

/// All private networks of the account, and what may become of them: the part that every store shares.
package struct PrivateNetworks: Sendable, Equatable {
    /// Oldest first, deleted ones too.
    package internal(set) var routes: [NetworkRoute]
    /// Oldest first, deleted ones too; a live default among them.
    package internal(set) var virtualNetworks: [VirtualNetwork]
    /// All that routes may name, deleted ones too.
    package internal(set) var tunnels: [UUID: TunnelRecord]

    init(routes: [NetworkRoute], virtualNetworks: [VirtualNetwork], tunnels: [UUID: TunnelRecord]) {
        self.routes = routes
        self.virtualNetworks = virtualNetworks
        self.tunnels = tunnels
    }

    // MARK: Routes

    /// Leads a private network to a live tunnel; without a virtual network it is in the default one.
    ///
    /// - Throws: `StoreError`, `.networkTaken` when the virtual network has a route for exactly this network.
    package mutating func addRoute(
        to network: IPPrefix, tunnel tunnelID: UUID, virtualNetwork: UUID?, comment: String, at time: Date
    ) throws -> NetworkRoute {
        try Self.check(comment: comment)
        guard let tunnel = tunnels[tunnelID], tunnel.deletedAt == nil else { throw StoreError.noTunnel(tunnelID) }
        let space = try liveVirtualNetwork(virtualNetwork)
        let network = network.unmapped
        if let taken = liveRoutes(in: space.id).first(where: { $0.network == network }) {
            throw StoreError.networkTaken(network, in: space, by: tunnels[taken.tunnelID], id: taken.tunnelID)
        }
        let route = NetworkRoute(
            id: UUID(), network: network, tunnelID: tunnelID, virtualNetworkID: space.id, comment: comment,
            createdAt: time)
        routes.append(route)
        return route
    }

    package mutating func deleteRoute(_ id: UUID, at time: Date) throws -> NetworkRoute {
        guard let index = routes.firstIndex(where: { $0.id == id && $0.deletedAt == nil }) else {
            throw StoreError.noNetworkRoute(id.lowercased)
        }
        routes[index].deletedAt = time
        return routes[index]
    }

    /// The same for the route of exactly this network.
    package mutating func deleteRoute(
        to network: IPPrefix, virtualNetwork: UUID?, at time: Date
    ) throws -> NetworkRoute {
        let space = try liveVirtualNetwork(virtualNetwork)
        let network = network.unmapped
        guard let route = liveRoutes(in: space.id).first(where: { $0.network == network }) else {
            throw StoreError.noNetworkRoute("\(network)")
        }
        return try deleteRoute(route.id, at: time)
    }

    /// The route that an address takes: the narrowest network that holds it.
    package func route(of address: IPAddress, virtualNetwork: UUID?) throws -> NetworkRoute? {
        let space = try liveVirtualNetwork(virtualNetwork)
        return liveRoutes(in: space.id).filter { $0.network.contains(address.unmapped) }
            .max { $0.network.length < $1.network.length }
    }

    mutating func deleteRoutes(at time: Date, where isUnwanted: (NetworkRoute) -> Bool) {
        for index in routes.indices where routes[index].deletedAt == nil && isUnwanted(routes[index]) {
            routes[index].deletedAt = time
        }
    }

    private func liveRoutes(in virtualNetwork: UUID) -> [NetworkRoute] {
        routes.filter { $0.deletedAt == nil && $0.virtualNetworkID == virtualNetwork }
    }

    // MARK: Virtual networks

    /// - Throws: `StoreError`, `.networkTaken` when a live one has the name.
    package mutating func addVirtualNetwork(
        name: String, comment: String, isDefault: Bool, at time: Date
    ) throws -> VirtualNetwork {
        try check(name: name, except: nil)
        try Self.check(comment: comment)
        if isDefault { resignDefault() }
        let network = VirtualNetwork(id: UUID(), name: name, comment: comment, isDefault: isDefault, createdAt: time)
        virtualNetworks.append(network)
        return network
    }

    /// Changes what is given.
    package mutating func changeVirtualNetwork(
        _ id: UUID, name: String?, comment: String?, isDefault: Bool?
    ) throws -> VirtualNetwork {
        let index = try liveIndex(id)
        var network = virtualNetworks[index]
        if let name {
            try check(name: name, except: id)
            network.name = name
        }
        if let comment {
            try Self.check(comment: comment)
            network.comment = comment
        }
        if let isDefault, isDefault != network.isDefault {
            guard isDefault else { throw StoreError.defaultNeeded(network) }
            resignDefault()
            network.isDefault = true
        }
        virtualNetworks[index] = network
        return network
    }

    /// - Parameter force: also when routes are in it, which go with it.
    /// - Throws: `StoreError`, `.inUse` for the default one, or when routes are in it and `force` is false.
    package mutating func deleteVirtualNetwork(_ id: UUID, force: Bool, at time: Date) throws -> VirtualNetwork {
        let index = try liveIndex(id)
        guard !virtualNetworks[index].isDefault else { throw StoreError.defaultNeeded(virtualNetworks[index]) }
        let count = liveRoutes(in: id).count
        guard force || count == 0 else { throw StoreError.hasRoutes(virtualNetworks[index], count: count) }
        deleteRoutes(at: time) { $0.virtualNetworkID == id }
        virtualNetworks[index].deletedAt = time
        return virtualNetworks[index]
    }

    /// - Parameter id: nil: the default one.
    private func liveVirtualNetwork(_ id: UUID?) throws -> VirtualNetwork {
        if let id { return virtualNetworks[try liveIndex(id)] }
        guard let network = virtualNetworks.first(where: { $0.isDefault && $0.deletedAt == nil }) else {
            throw StoreError(.unavailable, "the edge's database has no default virtual network; restore it")
        }
        return network
    }

    private func liveIndex(_ id: UUID) throws -> Int {
        guard let index = virtualNetworks.firstIndex(where: { $0.id == id && $0.deletedAt == nil }) else {
            throw StoreError.noVirtualNetwork(id)
        }
        return index
    }

    private mutating func resignDefault() {
        for index in virtualNetworks.indices { virtualNetworks[index].isDefault = false }
    }

    private func check(name: String, except id: UUID?) throws {
        guard (1...255).contains(name.utf8.count), !Self.hasControls(name) else {
            throw StoreError(.invalid, "a virtual network's name must have 1 to 255 characters, none of control")
        }
        // Commands take a name or an id in the same place.
        guard UUID(uuidString: name) == nil else {
            throw StoreError(.invalid, "\"\(name)\" looks like an id; give the virtual network a name of another shape")
        }
        if let other = virtualNetworks.first(where: { $0.name == name && $0.deletedAt == nil && $0.id != id }) {
            throw StoreError.virtualNetworkTaken(by: other)
        }
    }

    private static func check(comment: String) throws {
        guard comment.utf8.count <= 1024, !hasControls(comment) else {
            throw StoreError(.invalid, "a comment must have at most 1024 characters, none of control")
        }
    }

    private static func hasControls(_ text: String) -> Bool {
        text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7f }
    }
}
