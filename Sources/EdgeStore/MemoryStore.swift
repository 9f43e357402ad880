import AccessPolicy
package import Foundation
package import TunnelConfig

/// A store that lives as long as the process: for tests, and for edges that are thrown away.
package actor MemoryStore: ClusterStore {
    private let theAccount: Account
    var revision = 1
    private var tunnels: [UUID: TunnelRecord] = [:]
    private var routesByName: [String: Route] = [:]
    private var configurations: [UUID: StoredConfiguration] = [:]
    private var networks: PrivateNetworks
    private var connections: [UUID: ConnectionRecord] = [:]
    private var cleanups: [CleanupRequest] = []
    var accessRecords = AccessRecords(documents: [], tokens: [])
    var userIDs: [[String]: String] = [:]
    var sessions: [AccessSession.ID: AccessSession] = [:]
    var revokedBefore: [String: Date] = [:]
    var keys: [SigningKey] = []

    package init(account: Account) {
        theAccount = account
        networks = PrivateNetworks(routes: [], virtualNetworks: [.first(at: account.createdAt)], tunnels: [:])
    }

    package func account() -> Account { theAccount }

    package func version() -> Int { revision }

    package func routing() -> RoutingSnapshot {
        RoutingSnapshot(
            version: revision, tunnels: tunnels.filter { $0.value.deletedAt == nil },
            routes: routesByName.mapValues(\.tunnelID), cleanups: cleanups)
    }

    // MARK: Tunnels

    package func createTunnel(_ tunnel: TunnelRecord) throws {
        try TunnelRecord.check(name: tunnel.name)
        if let other = tunnels[tunnel.id] { throw StoreError.idTaken(by: other) }
        if let other = tunnels.values.first(where: { $0.name == tunnel.name && $0.deletedAt == nil }) {
            throw StoreError.nameTaken(by: other)
        }
        tunnels[tunnel.id] = tunnel
        revision += 1
    }

    package func tunnel(_ id: UUID) -> TunnelRecord? { tunnels[id] }

    package func tunnels(_ filter: TunnelFilter, offset: Int, limit: Int) -> (page: [TunnelRecord], total: Int) {
        let matching = tunnels.values.filter(filter.matches)
            .sorted { ($0.createdAt, $0.id.uuidString) < ($1.createdAt, $1.id.uuidString) }
        return (Array(matching.dropFirst(max(0, offset)).prefix(max(0, limit))), matching.count)
    }

    package func changeTunnel(_ id: UUID, name: String?, secret: TunnelSecret?) throws -> TunnelRecord {
        let former = try liveTunnel(id)
        let tunnel = try former.changed(name: name, secret: secret)
        if let other = tunnels.values.first(where: { $0.name == tunnel.name && $0.deletedAt == nil && $0.id != id }) {
            throw StoreError.nameTaken(by: other)
        }
        guard tunnel != former else { return former }
        tunnels[id] = tunnel
        revision += 1
        if tunnel.secret != former.secret { cleanUp(id, connector: nil) }
        return tunnel
    }

    package func deleteTunnel(_ id: UUID, cascade: Bool, at time: Date) throws {
        var tunnel = try liveTunnel(id)
        let count = connections.values.count { $0.tunnelID == id }
        guard cascade || count == 0 else { throw StoreError.hasConnections(tunnel, count: count) }
        tunnel.deletedAt = time
        tunnels[id] = tunnel
        routesByName = routesByName.filter { $0.value.tunnelID != id }
        networks.deleteRoutes(at: time) { $0.tunnelID == id }
        configurations[id] = nil
        connections = connections.filter { $0.value.tunnelID != id }
        revision += 1
    }

    private func liveTunnel(_ id: UUID) throws -> TunnelRecord {
        guard let tunnel = tunnels[id], tunnel.deletedAt == nil else { throw StoreError.noTunnel(id) }
        return tunnel
    }

    // MARK: Routes

    package func setRoute(
        _ hostname: String, to tunnelID: UUID, overwrite: Bool, at time: Date
    ) throws -> RouteChange {
        let taken = routesByName[hostname]
        if taken?.tunnelID == tunnelID { return .unchanged }
        _ = try liveTunnel(tunnelID)
        if let taken, !overwrite {
            throw StoreError.hostnameTaken(hostname, by: tunnels[taken.tunnelID], id: taken.tunnelID)
        }
        routesByName[hostname] = Route(hostname: hostname, tunnelID: tunnelID, createdAt: time)
        revision += 1
        return taken == nil ? .new : .updated
    }

    package func routes() -> [Route] { routesByName.values.sorted { $0.hostname < $1.hostname } }

    package func removeRoute(_ hostname: String) throws {
        guard routesByName.removeValue(forKey: hostname) != nil else { throw StoreError.noRoute(hostname) }
        revision += 1
    }

    package func privateNetworks() -> PrivateNetworks {
        var networks = networks
        networks.tunnels = tunnels
        return networks
    }

    package func changePrivateNetworks<Value: Sendable>(
        _ change: @escaping @Sendable (inout PrivateNetworks) throws -> Value
    ) throws -> Value {
        let former = privateNetworks()
        var changed = former
        let value = try change(&changed)
        guard changed != former else { return value }
        networks = changed
        revision += 1
        return value
    }

    // MARK: Configuration

    package func configuration(ofTunnel id: UUID) -> StoredConfiguration? { configurations[id] }

    package func setConfiguration(_ json: String, ofTunnel id: UUID, at time: Date) throws {
        if configurations[id]?.json == json { return }
        _ = try liveTunnel(id)
        configurations[id] = StoredConfiguration(json: json, updatedAt: time)
        revision += 1
    }

    // MARK: Connections

    package func connectionOpened(_ connection: ConnectionRecord) throws {
        _ = try liveTunnel(connection.tunnelID)
        connections[connection.id] = connection
    }

    package func connectionClosed(_ id: UUID) { connections[id] = nil }

    package func forgetConnections(ofEdge edgeID: UUID?) {
        connections = edgeID == nil ? [:] : connections.filter { $0.value.edgeID != edgeID }
    }

    package func connections(ofTunnels ids: [UUID]) -> [ConnectionRecord] {
        ids.flatMap { id in
            connections.values.filter { $0.tunnelID == id }.sorted { ($0.openedAt, $0.index) < ($1.openedAt, $1.index) }
        }
    }

    package func cleanUpConnections(ofTunnel id: UUID, connector: UUID?) throws {
        _ = try liveTunnel(id)
        revision += 1
        cleanUp(id, connector: connector)
    }

    /// At the version that the revision has moved to.
    private func cleanUp(_ id: UUID, connector: UUID?) {
        connections = connections.filter {
            $0.value.tunnelID != id || (connector != nil && $0.value.connectorID != connector)
        }
        cleanups.append(CleanupRequest(version: revision, tunnelID: id, connectorID: connector))
        if cleanups.count > keptCleanups { cleanups.removeFirst(cleanups.count - keptCleanups) }
    }
}
