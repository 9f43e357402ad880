package import Foundation
import NIOHTTP1
package import TunnelConfig

/// Which private routes a list asks for.
package struct APINetworkRouteFilter: Sendable {
    package var isDeleted = false
    /// Only routes within this network.
    package var subsetOf: String?
    /// Only routes that hold this network.
    package var supersetOf: String?
    package var comment: String?
    package var tunnelID: UUID?
    package var virtualNetworkID: UUID?
    /// Items a page; nil leaves it to the server.
    package var perPage: Int?

    package init() {}

    var query: [URLQueryItem] {
        let items = [
            ("tun_types", "cfd_tunnel"), ("is_deleted", isDeleted ? "true" : "false"), ("network_subset", subsetOf),
            ("network_superset", supersetOf), ("comment", comment), ("tunnel_id", tunnelID?.lowercased),
            ("virtual_network_id", virtualNetworkID?.lowercased), ("per_page", perPage.map(String.init)),
        ]
        return items.compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
    }
}

/// Which virtual networks a list asks for.
package struct APIVirtualNetworkFilter: Sendable {
    package var id: UUID?
    package var name: String?
    package var isDefault: Bool?
    package var isDeleted = false
    package var perPage: Int?

    package init() {}

    var query: [URLQueryItem] {
        let items = [
            ("id", id?.lowercased), ("name", name), ("is_default", isDefault.map { $0 ? "true" : "false" }),
            ("is_deleted", isDeleted ? "true" : "false"), ("per_page", perPage.map(String.init)),
        ]
        return items.compactMap { name, value in value.map { URLQueryItem(name: name, value: $0) } }
    }
}

/// Private routes and virtual networks (cli-and-config section 4.4 and 4.5).
extension ControlAPIClient {
    private var routesPath: String { "/accounts/\(accountID)/teamnet/routes" }
    private var virtualNetworksPath: String { "/accounts/\(accountID)/teamnet/virtual_networks" }

    package func networkRoutes(_ filter: APINetworkRouteFilter) async throws -> [APINetworkRoute] {
        let call = Call(operation: "list private routes", method: .GET, path: routesPath, query: filter.query)
        return try await sendList(call, of: APINetworkRoute.self)
    }

    package func addNetworkRoute(_ creation: APINetworkRouteCreation) async throws -> APINetworkRoute {
        let call = Call(
            operation: "route \(creation.network) to the tunnel \(creation.tunnelID)", method: .POST, path: routesPath,
            body: try JSONEncoder().encode(creation))
        return try required(try await send(call, as: APINetworkRoute.self).result, call)
    }

    package func deleteNetworkRoute(_ id: UUID) async throws {
        let call = Call(
            operation: "delete the private route \(id.lowercased)", method: .DELETE,
            path: "\(routesPath)/\(id.lowercased)")
        _ = try await send(call, as: APINothing.self)
    }

    /// The route that an address takes; nil when there is none.
    package func networkRoute(of address: IPAddress, virtualNetwork: UUID?) async throws -> APINetworkRoute? {
        let call = Call(
            operation: "look up the route of \(address)", method: .GET, path: "\(routesPath)/ip/\(address)",
            query: virtualNetwork.map { [URLQueryItem(name: "virtual_network_id", value: $0.lowercased)] } ?? [])
        return try await send(call, as: APINetworkMatch.self).result?.route
    }

    package func virtualNetworks(_ filter: APIVirtualNetworkFilter) async throws -> [APIVirtualNetwork] {
        let call = Call(
            operation: "list virtual networks", method: .GET, path: virtualNetworksPath, query: filter.query)
        return try await send(call, as: [APIVirtualNetwork].self).result ?? []
    }

    package func addVirtualNetwork(
        name: String, comment: String, isDefault: Bool
    ) async throws -> APIVirtualNetwork {
        let call = Call(
            operation: "make the virtual network \"\(name)\"", method: .POST, path: virtualNetworksPath,
            body: try JSONEncoder().encode(
                APIVirtualNetworkChange(name: name, comment: comment, isDefault: isDefault)))
        return try required(try await send(call, as: APIVirtualNetwork.self).result, call)
    }

    package func changeVirtualNetwork(_ id: UUID, _ change: APIVirtualNetworkChange) async throws {
        let call = Call(
            operation: "change the virtual network \(id.lowercased)", method: .PATCH,
            path: "\(virtualNetworksPath)/\(id.lowercased)", body: try JSONEncoder().encode(change))
        _ = try await send(call, as: APINothing.self)
    }

    /// - Parameter force: also when routes are in it.
    package func deleteVirtualNetwork(_ id: UUID, force: Bool) async throws {
        let call = Call(
            operation: "delete the virtual network \(id.lowercased)", method: .DELETE,
            path: "\(virtualNetworksPath)/\(id.lowercased)",
            query: force ? [URLQueryItem(name: "force", value: "true")] : [])
        _ = try await send(call, as: APINothing.self)
    }
}
