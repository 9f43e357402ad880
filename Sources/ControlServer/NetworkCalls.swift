import ControlAPI
import EdgeStore
import Foundation
import Hummingbird
import Logging
import TunnelConfig

/// `/accounts/A/teamnet/routes…`: which private network leads to which tunnel.
struct NetworkRouteCalls: Sendable {
    let store: any ClusterStore
    let now: @Sendable () -> Date

    func add(to calls: RouterGroup<ControlContext>) {
        let routes = calls.group("accounts/:account/teamnet/routes")
        routes.get("", use: list)
        routes.post("", use: create)
        routes.delete(":id", use: delete)
        routes.delete("network/:network", use: deleteNetwork)
        routes.get("ip/:ip", use: lookUp)
    }

    @Sendable private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let query = Query(request)
        let deleted = try query.bool("is_deleted")
        let (within, around) = (try query.network("network_subset"), try query.network("network_superset"))
        let (comment, tunnelID) = (query["comment"], try query.uuid("tunnel_id"))
        let virtualNetworkID = try query.uuid("virtual_network_id")
        let networks = try await store.privateNetworks()
        let matching = networks.routes.filter { route in
            if let deleted, deleted != (route.deletedAt != nil) { return false }
            if let within, !within.contains(route.network) { return false }
            if let around, !route.network.contains(around) { return false }
            if let comment, comment != route.comment { return false }
            if let tunnelID, tunnelID != route.tunnelID { return false }
            if let virtualNetworkID, virtualNetworkID != route.virtualNetworkID { return false }
            return true
        }
        return try Answer.list(matching, request, usualSize: 100) { APINetworkRoute($0, in: networks) }
    }

    @Sendable private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let creation = try await request.json(APINetworkRouteCreation.self)
        let network = try Self.network(creation.network)
        guard let tunnelID = UUID(uuidString: creation.tunnelID) else {
            throw Refusal.invalid("tunnel_id must be a UUID")
        }
        let virtualNetworkID = try creation.virtualNetworkID.map { text in
            guard let id = UUID(uuidString: text) else { throw Refusal.invalid("virtual_network_id must be a UUID") }
            return id
        }
        let time = now()
        return try await change("Private network routed", context) { networks in
            try networks.addRoute(
                to: network, tunnel: tunnelID, virtualNetwork: virtualNetworkID, comment: creation.comment ?? "",
                at: time)
        }
    }

    @Sendable private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        guard let id = UUID(uuidString: context.parameters.get("id") ?? "") else {
            throw Refusal.invalid("the route's id in the path is not a UUID")
        }
        let time = now()
        return try await change("Private route deleted", context) { try $0.deleteRoute(id, at: time) }
    }

    @Sendable private func deleteNetwork(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let network = try Self.network(context.text("network"))
        let virtualNetworkID = try Query(request).uuid("virtual_network_id")
        let time = now()
        return try await change("Private route deleted", context) {
            try $0.deleteRoute(to: network, virtualNetwork: virtualNetworkID, at: time)
        }
    }

    @Sendable private func lookUp(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        guard let address = IPAddress(context.text("ip")) else {
            throw Refusal.invalid("\"\(context.text("ip"))\" in the path is no IP address")
        }
        let networks = try await store.privateNetworks()
        let route = try networks.route(of: address, virtualNetwork: try Query(request).uuid("virtual_network_id"))
        return try Answer.success(route.map { APINetworkRoute($0, in: networks) } ?? .none)
    }

    private func change(
        _ what: Logger.Message, _ context: ControlContext,
        _ change: @escaping @Sendable (inout PrivateNetworks) throws -> NetworkRoute
    ) async throws -> Response {
        let shown = try await store.changePrivateNetworks { networks in
            APINetworkRoute(try change(&networks), in: networks)
        }
        context.logger.info(
            what, metadata: ["network": "\(shown.network)", "tunnelID": "\(shown.tunnelID.lowercased)"])
        return try Answer.success(shown)
    }

    private static func network(_ text: String) throws -> IPPrefix {
        guard let network = IPPrefix(text) else {
            throw Refusal.invalid("\"\(text)\" is no network; give one such as 10.0.0.0/8 or fd00::/8")
        }
        return network
    }
}

/// `/accounts/A/teamnet/virtual_networks`: the account's address spaces.
struct VirtualNetworkCalls: Sendable {
    let store: any ClusterStore
    let now: @Sendable () -> Date

    func add(to calls: RouterGroup<ControlContext>) {
        let networks = calls.group("accounts/:account/teamnet/virtual_networks")
        networks.get("", use: list)
        networks.post("", use: create)
        networks.patch(":id", use: update)
        networks.delete(":id", use: delete)
    }

    @Sendable private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let query = Query(request)
        let (id, name) = (try query.uuid("id"), query["name"])
        let (isDefault, deleted) = (try query.bool("is_default"), try query.bool("is_deleted"))
        let matching = try await store.privateNetworks().virtualNetworks.filter { network in
            if let id, id != network.id { return false }
            if let name, name != network.name { return false }
            if let isDefault, isDefault != network.isDefault { return false }
            if let deleted, deleted != (network.deletedAt != nil) { return false }
            return true
        }
        // The official client asks for one page only.
        return try Answer.list(matching, request) { APIVirtualNetwork($0) }
    }

    @Sendable private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        _ = try context.account(named: "account")
        let creation = try await request.json(APIVirtualNetworkChange.self)
        let time = now()
        return try await change("Virtual network made", context) { networks in
            try networks.addVirtualNetwork(
                name: creation.name ?? "", comment: creation.comment ?? "", isDefault: creation.isDefault ?? false,
                at: time)
        }
    }

    @Sendable private func update(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try id(context)
        let sent = try await request.json(APIVirtualNetworkChange.self)
        return try await change("Virtual network changed", context) { networks in
            try networks.changeVirtualNetwork(
                id, name: sent.name, comment: sent.comment, isDefault: sent.isDefault)
        }
    }

    @Sendable private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let id = try id(context)
        let force = try Query(request).bool("force") ?? false
        let time = now()
        return try await change("Virtual network deleted", context) { networks in
            try networks.deleteVirtualNetwork(id, force: force, at: time)
        }
    }

    private func change(
        _ what: Logger.Message, _ context: ControlContext,
        _ change: @escaping @Sendable (inout PrivateNetworks) throws -> VirtualNetwork
    ) async throws -> Response {
        let network = try await store.changePrivateNetworks(change)
        context.logger.info(what, metadata: ["id": "\(network.id.lowercased)"])
        return try Answer.success(APIVirtualNetwork(network))
    }

    private func id(_ context: ControlContext) throws -> UUID {
        _ = try context.account(named: "account")
        guard let id = UUID(uuidString: context.parameters.get("id") ?? "") else {
            throw Refusal.invalid("the virtual network's id in the path is not a UUID")
        }
        return id
    }
}

extension ControlContext {
    /// A part of the path in plain text; what is not encoded well matches nothing.
    fileprivate func text(_ parameter: String) -> String {
        parameters.get(parameter)?.removingPercentEncoding ?? ""
    }
}

extension Query {
    fileprivate func network(_ name: String) throws -> IPPrefix? {
        guard let text = self[name] else { return nil }
        guard let value = IPPrefix(text) else { throw Refusal.invalid("\(name) must be a network such as 10.0.0.0/8") }
        return value.unmapped
    }
}

extension APINetworkRoute {
    /// Tells that an address has no route: all zero, and still what the official client can read.
    fileprivate static let none = APINetworkRoute(
        id: zero, network: "0.0.0.0/0", tunnelID: zero, tunnelName: "", createdAt: nil)

    private static let zero = UUID(uuid: (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))

    fileprivate init(_ route: NetworkRoute, in networks: PrivateNetworks) {
        self.init(
            id: route.id, network: "\(route.network)", tunnelID: route.tunnelID,
            tunnelName: networks.tunnels[route.tunnelID]?.name ?? "", virtualNetworkID: route.virtualNetworkID,
            comment: route.comment, createdAt: route.createdAt, deletedAt: route.deletedAt)
    }
}

extension APIVirtualNetwork {
    fileprivate init(_ network: VirtualNetwork) {
        self.init(
            id: network.id, name: network.name, comment: network.comment, isDefault: network.isDefault,
            createdAt: network.createdAt, deletedAt: network.deletedAt)
    }
}
