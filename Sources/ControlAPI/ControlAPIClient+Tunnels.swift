package import Foundation
import NIOHTTP1
package import TunnelConfig

/// Which tunnels a list asks for.
package struct APITunnelFilter: Sendable {
    /// nil asks for live and deleted ones.
    package var isDeleted: Bool? = false
    package var name: String?
    package var namePrefix: String?
    package var excludedPrefix: String?
    package var existedAt: Date?
    package var id: UUID?
    /// Items a page; nil leaves it to the server.
    package var perPage: Int?

    package init() {}

    var query: [URLQueryItem] {
        var items: [URLQueryItem] = []
        func add(_ name: String, _ value: String?) {
            if let value { items.append(URLQueryItem(name: name, value: value)) }
        }
        add("is_deleted", isDeleted.map { $0 ? "true" : "false" })
        add("name", name)
        add("name_prefix", namePrefix)
        add("exclude_prefix", excludedPrefix)
        add("existed_at", existedAt.map(Timestamp.encode))
        add("uuid", id?.lowercased)
        add("per_page", perPage.map(String.init))
        return items
    }
}

extension ControlAPIClient {
    /// Makes a tunnel with the given secret.
    package func createTunnel(name: String, secret: TunnelSecret) async throws -> APITunnel {
        let creation = APITunnelCreation(name: name, secret: Data(secret.bytes).base64EncodedString())
        let call = Call(
            operation: "create the tunnel \"\(name)\"", method: .POST, path: tunnelsPath,
            body: try JSONEncoder().encode(creation))
        return try required(try await send(call, as: APITunnel.self).result, call)
    }

    package func tunnels(_ filter: APITunnelFilter) async throws -> [APITunnel] {
        let call = Call(operation: "list tunnels", method: .GET, path: tunnelsPath, query: filter.query)
        return try await sendList(call, of: APITunnel.self)
    }

    package func tunnel(_ id: UUID) async throws -> APITunnel {
        let call = Call(
            operation: "look up the tunnel \(id.lowercased)", method: .GET, path: "\(tunnelsPath)/\(id.lowercased)")
        return try required(try await send(call, as: APITunnel.self).result, call)
    }

    /// - Parameter cascade: also when it has connections.
    package func deleteTunnel(_ id: UUID, cascade: Bool) async throws {
        let call = Call(
            operation: "delete the tunnel \(id.lowercased)", method: .DELETE, path: "\(tunnelsPath)/\(id.lowercased)",
            query: cascade ? [URLQueryItem(name: "cascade", value: "true")] : [])
        _ = try await send(call, as: APINothing.self)
    }

    /// The credentials of a tunnel, out of its run token.
    package func credentials(ofTunnel id: UUID) async throws -> TunnelCredentials {
        let call = Call(
            operation: "fetch the token of the tunnel \(id.lowercased)", method: .GET,
            path: "\(tunnelsPath)/\(id.lowercased)/token")
        let text = try required(try await send(call, as: String.self).result, call)
        do {
            return try TunnelToken.parse(text)
        } catch {
            throw ControlAPIError(
                .badAnswer, "cannot \(call.operation): the account API sent something that is no tunnel token",
                remedy: "check that --api-url leads to an account API", cause: error)
        }
    }

    /// The connectors of a tunnel.
    package func connectors(ofTunnel id: UUID) async throws -> [APIConnector] {
        let call = Call(
            operation: "list the connections of the tunnel \(id.lowercased)", method: .GET,
            path: "\(tunnelsPath)/\(id.lowercased)/connections")
        return try await send(call, as: [APIConnector].self).result ?? []
    }

    /// Drops the connections of a tunnel, or of one of its connectors.
    package func cleanUpConnections(ofTunnel id: UUID, connector: UUID? = nil) async throws {
        let call = Call(
            operation: "clean up the connections of the tunnel \(id.lowercased)", method: .DELETE,
            path: "\(tunnelsPath)/\(id.lowercased)/connections",
            query: connector.map { [URLQueryItem(name: "client_id", value: $0.lowercased)] } ?? [])
        _ = try await send(call, as: APINothing.self)
    }

    /// Leads a hostname of the zone to a tunnel. A hostname of another tunnel is taken only with `overwrite`.
    package func routeDNS(hostname: String, toTunnel id: UUID, overwrite: Bool) async throws -> APIRoute {
        let body = APIRouteRequest(hostname: hostname, overwriteExisting: overwrite)
        let call = Call(
            operation: "route \(hostname) to the tunnel \(id.lowercased)", method: .PUT,
            path: "\(zonePath)/tunnels/\(id.lowercased)/routes", body: try JSONEncoder().encode(body))
        return try required(try await send(call, as: APIRoute.self).result, call)
    }

    /// Puts a tunnel into a pool of the load balancer of a hostname.
    package func routeLoadBalancer(
        hostname: String, pool: String, toTunnel id: UUID
    ) async throws -> APILoadBalancerRoute {
        let call = Call(
            operation: "route the load balancer \(hostname) to the tunnel \(id.lowercased)", method: .PUT,
            path: "\(zonePath)/tunnels/\(id.lowercased)/routes",
            body: try JSONEncoder().encode(APILoadBalancerRequest(hostname: hostname, pool: pool)))
        return try required(try await send(call, as: APILoadBalancerRoute.self).result, call)
    }

    /// A token for a resource of the tunnel's connectors. A secret.
    package func managementToken(for resource: APIManagementResource, ofTunnel id: UUID) async throws -> String {
        let call = Call(
            operation: "fetch a management token of the tunnel \(id.lowercased)", method: .POST,
            path: "\(tunnelsPath)/\(id.lowercased)/management/\(resource.rawValue)")
        return try required(try await send(call, as: String.self).result, call)
    }

    func required<Value>(_ value: Value?, _ call: Call) throws -> Value {
        guard let value else {
            throw ControlAPIError(
                .badAnswer, "cannot \(call.operation): the account API answered without a result",
                remedy: "check that --api-url leads to an account API")
        }
        return value
    }
}
