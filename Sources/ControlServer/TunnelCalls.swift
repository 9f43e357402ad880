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

    private static let usualPage = 100

    func add(to calls: RouterGroup<ControlContext>) {
        let tunnels = calls.group("accounts/:account/cfd_tunnel")
        tunnels.post("", use: create)
        tunnels.get("", use: list)
        tunnels.get(":tunnel", use: get)
        tunnels.patch(":tunnel", use: update)
        tunnels.delete(":tunnel", use: delete)
        tunnels.get(":tunnel/token", use: token)
        tunnels.get(":tunnel/connections", use: connectors)
        tunnels.delete(":tunnel/connections", use: cleanUp)
        tunnels.post(":tunnel/management/:resource", use: managementToken)
    }

    @Sendable private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        let account = try context.account(named: "account")
        let creation = try await request.json(APITunnelCreation.self)
        let secret = try Self.secret(creation.secret) ?? .generate()
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
        let asked = try PageQuery(query, usualSize: Self.usualPage)
        let (page, total) = try await store.tunnels(filter, offset: asked.offset, limit: asked.size)
        let connections = try await store.connections(ofTunnels: page.map(\.id))
        let byTunnel = Dictionary(grouping: connections, by: \.tunnelID)
        return try Answer.success(
            page.map { APITunnel($0, connections: byTunnel[$0.id] ?? []) },
            page: asked.info(count: page.count, total: total))
    }

    @Sendable private func get(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        return try Answer.success(
            APITunnel(tunnel, connections: try await store.connections(ofTunnels: [tunnel.id])))
    }

    private struct Change: Decodable {
        var name: String?
        /// As in a creation. A secret.
        var secret: String?

        private enum CodingKeys: String, CodingKey {
            case name
            case secret = "tunnel_secret"
        }
    }

    /// Another name, or another secret: what the old one let in has to come again with the new one.
    @Sendable private func update(_ request: Request, _ context: ControlContext) async throws -> Response {
        let former = try await tunnel(context)
        let sent = try await request.json(Change.self)
        let tunnel = try await store.changeTunnel(former.id, name: sent.name, secret: try Self.secret(sent.secret))
        let what: Logger.Message = tunnel.secret == former.secret ? "Tunnel changed" : "Tunnel's secret changed"
        context.logger.info(what, metadata: ["tunnelID": "\(tunnel.id.lowercased)"])
        return try Answer.success(
            APITunnel(tunnel, connections: try await store.connections(ofTunnels: [tunnel.id])))
    }

    /// What a caller sent as a tunnel's secret; nil when there is none.
    private static func secret(_ text: String?) throws -> TunnelSecret? {
        guard let text, !text.isEmpty else { return nil }
        guard let bytes = Data(base64Encoded: text), (32...1024).contains(bytes.count) else {
            throw Refusal.invalid("tunnel_secret must be base64 of at least 32 bytes")
        }
        return TunnelSecret(Array(bytes))
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
        // The official client asks for one page only.
        return try Answer.list(connectors, request) { $0 }
    }

    @Sendable private func cleanUp(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await tunnel(context)
        try await store.cleanUpConnections(ofTunnel: tunnel.id, connector: try Query(request).uuid("client_id"))
        context.logger.info("Tunnel connections cleaned up", metadata: ["tunnelID": "\(tunnel.id.lowercased)"])
        return try Answer.success(APINothing())
    }

    @Sendable private func managementToken(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try await tunnel(context)
        throw Refusal.invalid(
            "this edge gives no management tokens: it does not lead to the management service of connectors; "
                + "read the connector's own log")
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
