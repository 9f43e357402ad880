import ControlAPI
import EdgeStore
import Foundation
import Hummingbird
import Logging
import TunnelConfig

/// `/accounts/A/cfd_tunnel…`: tunnels, their tokens and connections.
struct TunnelCalls: Sendable {
    let store: any ClusterStore
    let now: @Sendable () -> Date

    private static let defaultPage = 100
    private static let largestPage = 1000

    func add(to calls: RouterGroup<ControlContext>) {
        let tunnels = calls.group("accounts/:account/cfd_tunnel")
        tunnels.post("", use: create)
        tunnels.get("", use: list)
        tunnels.get(":tunnel", use: get)
        tunnels.delete(":tunnel", use: delete)
        tunnels.get(":tunnel/token", use: token)
        tunnels.get(":tunnel/connections", use: connectors)
        tunnels.delete(":tunnel/connections", use: cleanUp)
    }

    @Sendable private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        let account = try context.account(named: "account")
        let creation = try await request.json(APITunnelCreation.self)
        let secret: TunnelSecret
        if let text = creation.secret, !text.isEmpty {
            guard let bytes = Data(base64Encoded: text), (32...1024).contains(bytes.count) else {
                throw Refusal.invalid("tunnel_secret must be base64 of at least 32 bytes")
            }
            secret = TunnelSecret(Array(bytes))
        } else {
            secret = .generate()
        }
        let tunnel = TunnelRecord(
            id: UUID(), name: creation.name, accountTag: account.id, secret: secret, createdAt: now())
        try await store.createTunnel(tunnel)
        context.logger.info("Tunnel created", metadata: ["tunnelID": "\(tunnel.id.lowercased)"])
        var answer = APITunnel(tunnel, connections: [])
        answer.token = TunnelToken.encode(tunnel.credentials)
        return try Answer.success(answer)
    }

    @Sendable private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let query = Query(request)
        var filter = TunnelFilter()
        filter.name = query["name"]
        filter.namePrefix = query["name_prefix"]
        filter.excludedPrefixes = query.all("exclude_prefix")
        filter.deleted = try query.bool("is_deleted")
        filter.id = try query.uuid("uuid")
        if let text = query["existed_at"] {
            guard let time = Timestamp.decode(text) else {
                throw Refusal.invalid("existed_at must be an RFC 3339 time")
            }
            filter.existedAt = time
        }
        let number = max(1, try query.int("page") ?? 1)
        let size = min(max(1, try query.int("per_page") ?? Self.defaultPage), Self.largestPage)
        let (offset, overflow) = (number - 1).multipliedReportingOverflow(by: size)
        let (page, total) = try await store.tunnels(filter, offset: overflow ? .max : offset, limit: size)
        let connections = try await store.connections(ofTunnels: page.map(\.id))
        let byTunnel = Dictionary(grouping: connections, by: \.tunnelID)
        return try Answer.success(
            page.map { APITunnel($0, connections: byTunnel[$0.id] ?? []) },
            page: APIPage(count: page.count, page: number, perPage: size, totalCount: total))
    }

    @Sendable private func get(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        return try Answer.success(
            APITunnel(tunnel, connections: try await store.connections(ofTunnels: [tunnel.id])))
    }

    @Sendable private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        let cascade = try Query(request).bool("cascade") ?? false
        try await store.deleteTunnel(tunnel.id, cascade: cascade, at: now())
        context.logger.info("Tunnel deleted", metadata: ["tunnelID": "\(tunnel.id.lowercased)"])
        var deleted = tunnel
        deleted.deletedAt = now()
        return try Answer.success(APITunnel(deleted, connections: []))
    }

    @Sendable private func token(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        guard tunnel.deletedAt == nil else {
            throw Refusal.notFound("the tunnel \(tunnel.id.lowercased) was deleted; make a new one")
        }
        return try Answer.success(TunnelToken.encode(tunnel.credentials))
    }

    @Sendable private func connectors(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        let connections = try await store.connections(ofTunnels: [tunnel.id])
        let connectors = Dictionary(grouping: connections, by: \.connectorID).values
            .compactMap { APIConnector($0) }
            .sorted { ($0.runAt ?? .distantPast, $0.id.lowercased) < ($1.runAt ?? .distantPast, $1.id.lowercased) }
        return try Answer.success(
            connectors,
            page: APIPage(
                count: connectors.count, page: 1, perPage: max(connectors.count, Self.defaultPage),
                totalCount: connectors.count))
    }

    @Sendable private func cleanUp(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: try Query(request).uuid("client_id"))
        context.logger.info("Tunnel connections cleaned up", metadata: ["tunnelID": "\(tunnel.id.lowercased)"])
        return try Answer.success(APINothing())
    }

    private func tunnel(_ context: ControlContext) async throws -> TunnelRecord {
        _ = try context.account(named: "account")
        let id = try context.tunnelID()
        guard let tunnel = try await store.tunnel(id) else {
            throw Refusal.notFound("there is no tunnel \(id.lowercased); see `cloudflared tunnel list`")
        }
        return tunnel
    }
}

extension ControlContext {
    func tunnelID() throws -> UUID {
        guard let text = parameters.get("tunnel"), let id = UUID(uuidString: text) else {
            throw Refusal.invalid("the tunnel's id in the path is not a UUID")
        }
        return id
    }
}

extension APITunnel {
    fileprivate init(_ tunnel: TunnelRecord, connections: [ConnectionRecord]) {
        self.init(
            id: tunnel.id, name: tunnel.name, createdAt: tunnel.createdAt, deletedAt: tunnel.deletedAt,
            connections: connections.map(APIConnection.init))
    }
}

extension APIConnection {
    fileprivate init(_ connection: ConnectionRecord) {
        self.init(
            id: connection.id, location: connection.location, originIP: connection.originIP,
            openedAt: connection.openedAt)
    }
}

extension APIConnector {
    /// - Parameter connections: of one connector, oldest first; nil comes of none.
    fileprivate init?(_ connections: [ConnectionRecord]) {
        guard let first = connections.first else { return nil }
        self.init(
            id: first.connectorID, features: first.features, version: first.version, architecture: first.architecture,
            runAt: first.openedAt, connections: connections.map(APIConnection.init))
    }
}
