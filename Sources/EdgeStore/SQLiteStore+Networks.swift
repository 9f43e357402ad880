import Foundation
import GRDB
import TunnelConfig

extension SQLiteStore {
    package func privateNetworks() async throws -> PrivateNetworks {
        try await read(Self.privateNetworks)
    }

    package func changePrivateNetworks<Value: Sendable>(
        _ change: @escaping @Sendable (inout PrivateNetworks) throws -> Value
    ) async throws -> Value {
        try await write { db in
            let former = try Self.privateNetworks(db)
            var networks = former
            let value = try change(&networks)
            guard networks != former else { return value }
            try Self.replace(db, former.virtualNetworks, by: networks.virtualNetworks)
            try Self.replace(db, former.routes, by: networks.routes)
            try Self.moveRevision(db)
            return value
        }
    }

    private static func privateNetworks(_ db: Database) throws -> PrivateNetworks {
        let tunnels = try Row.fetchAll(db, sql: "SELECT * FROM tunnel").map { try $0.tunnel() }
        return PrivateNetworks(
            routes: try Row.fetchAll(db, sql: "SELECT * FROM networkRoute ORDER BY rowid").map {
                try $0.networkRoute()
            },
            virtualNetworks: try Row.fetchAll(db, sql: "SELECT * FROM virtualNetwork ORDER BY rowid").map {
                try $0.virtualNetwork()
            },
            tunnels: Dictionary(tunnels.map { ($0.id, $0) }, uniquingKeysWith: { $1 }))
    }

    private static func replace(_ db: Database, _ former: [VirtualNetwork], by networks: [VirtualNetwork]) throws {
        // Whoever is the default no more comes first: there is never more than one.
        let changed = networks.filter { !former.contains($0) }
        for network in changed.filter({ !$0.isDefault }) + changed.filter(\.isDefault) {
            try db.execute(
                sql: """
                    INSERT INTO virtualNetwork VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                    name = excluded.name, comment = excluded.comment, isDefault = excluded.isDefault,
                    deletedAt = excluded.deletedAt
                    """,
                arguments: [
                    network.id.lowercased, network.name, network.comment, network.isDefault,
                    network.createdAt.timeIntervalSince1970, network.deletedAt?.timeIntervalSince1970,
                ])
        }
    }

    private static func replace(_ db: Database, _ former: [NetworkRoute], by routes: [NetworkRoute]) throws {
        let known = Dictionary(former.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        for route in routes where known[route.id] != route {
            try db.execute(
                sql: """
                    INSERT INTO networkRoute VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
                    deletedAt = excluded.deletedAt
                    """,
                arguments: [
                    route.id.lowercased, "\(route.network)", route.tunnelID.lowercased,
                    route.virtualNetworkID.lowercased, route.comment, route.createdAt.timeIntervalSince1970,
                    route.deletedAt?.timeIntervalSince1970,
                ])
        }
    }
}

extension Row {
    fileprivate func networkRoute() throws -> NetworkRoute {
        guard let network = IPPrefix(self["network"] as String) else {
            throw StoreError(.unavailable, "the edge's database holds a damaged network; restore it from a backup")
        }
        return NetworkRoute(
            id: try uuid("id"), network: network, tunnelID: try uuid("tunnelID"),
            virtualNetworkID: try uuid("virtualNetworkID"), comment: self["comment"], createdAt: date("createdAt"),
            deletedAt: optionalDate("deletedAt"))
    }

    fileprivate func virtualNetwork() throws -> VirtualNetwork {
        VirtualNetwork(
            id: try uuid("id"), name: self["name"], comment: self["comment"], isDefault: self["isDefault"],
            createdAt: date("createdAt"), deletedAt: optionalDate("deletedAt"))
    }
}
